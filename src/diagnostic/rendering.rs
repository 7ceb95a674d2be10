//! Diagnostics as text: the source line, the span underlined, notes and help.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Severity};

/// How a diagnostic is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to use terminal colours.
    pub colour: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { colour: false, width: 100 }
    }
}

/// Renders all findings, each followed by an empty line.
pub fn render(diagnostics: &Diagnostics, style: Style) -> String {
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width).decor_style(DecorStyle::Ascii);
    diagnostics.iter().map(|one| render_one(one, &renderer) + "\n\n").collect()
}

fn render_one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.summary).id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(primary) = &diagnostic.primary {
        let source = primary.span.source();
        let mut snippet = Snippet::source(source.text())
            .path(source.name())
            .annotation(annotation(AnnotationKind::Primary, primary));
        let (here, elsewhere): (Vec<_>, Vec<_>) = diagnostic
            .secondary
            .iter()
            .partition(|label| std::sync::Arc::ptr_eq(label.span.source(), source));
        for label in here {
            snippet = snippet.annotation(annotation(AnnotationKind::Context, label));
        }
        group = group.element(snippet);
        for label in elsewhere {
            let source = label.span.source();
            group = group.element(
                Snippet::source(source.text())
                    .path(source.name())
                    .annotation(annotation(AnnotationKind::Context, label)),
            );
        }
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn annotation(kind: AnnotationKind, label: &super::Label) -> annotate_snippets::Annotation<'_> {
    let annotation = kind.span(label.span.range());
    if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostic, Source, Span};
    use super::*;

    #[test]
    fn the_span_is_underlined_and_help_follows() {
        let source = Source::new("web.pkr.hcl", "source \"x\" \"é\" {\n  region = var.regoin\n}\n");
        let at = source.text().find("regoin").expect("is there");
        let found = Diagnostic::error("unknown-variable", "unknown variable `regoin`")
            .at(&Span::new(&source, at..at + 6), "not declared")
            .help("did you mean `region`?");
        insta::assert_snapshot!(render(&found.into(), Style::default()), @r#"
        error[unknown-variable]: unknown variable `regoin`
         --> web.pkr.hcl:2:16
          |
        2 |   region = var.regoin
          |                ^^^^^^ not declared
          |
          = help: did you mean `region`?
        "#);
    }

    #[test]
    fn a_finding_without_a_place_is_one_line_and_its_help() {
        let found =
            Diagnostic::error("missing-template", "no such file: `a.hcl`").help("check the path");
        insta::assert_snapshot!(render(&found.into(), Style::default()), @r"
        error[missing-template]: no such file: `a.hcl`
         |
         = help: check the path
        ");
    }
}
