//! Diagnostics as text: the source line, the span underlined, notes and help.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Label, Severity};

/// Bytes of a line that is shown as a whole.
const LONG_LINE: usize = 1000;
/// Bytes of a longer line that are shown on either side of what is marked.
const AROUND: usize = 200;

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
        let (here, elsewhere): (Vec<_>, Vec<_>) = diagnostic
            .secondary
            .iter()
            .partition(|label| std::sync::Arc::ptr_eq(label.span.source(), source));
        let mut labels = vec![(AnnotationKind::Primary, primary)];
        labels.extend(here.into_iter().map(|label| (AnnotationKind::Context, label)));
        group = excerpt(group, &labels);
        for label in elsewhere {
            group = excerpt(group, &[(AnnotationKind::Context, label)]);
        }
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let text = renderer.render(&[group]);
    // Between a place of its own and lines without one the renderer leaves an empty mark.
    let mark = |line: &&str| line.contains(":::") && !line.contains(['|', '/', '.']);
    if text.lines().any(|line| mark(&line)) {
        text.lines().filter(|line| !mark(line)).collect::<Vec<_>>().join("\n")
    } else {
        text
    }
}

/// Adds the lines that the labels, all of one source, are on. The renderer gets no more than
/// that: it goes over all that it gets, for each finding again.
fn excerpt<'a>(group: Group<'a>, labels: &[(AnnotationKind, &'a Label)]) -> Group<'a> {
    let Some((_, first)) = labels.first() else { return group };
    let source = first.span.source();
    let start = labels.iter().map(|(_, label)| label.span.range().start).min().unwrap_or(0);
    let end = labels.iter().map(|(_, label)| label.span.range().end).max().unwrap_or(0);
    let lines = source.lines_around(start..end);
    let (range, cut) = window(source.text(), &lines, &first.span.range());
    let text = source.text().get(range.clone()).unwrap_or_default();
    let mut snippet = Snippet::source(text).line_start(source.line_of(range.start) + 1);
    for (kind, label) in labels {
        let span = label.span.range();
        let clamped = |at: usize| at.clamp(range.start, range.end) - range.start;
        let annotation = kind.span(clamped(span.start)..clamped(span.end));
        snippet = snippet.annotation(if label.text.is_empty() {
            annotation
        } else {
            annotation.label(label.text.as_str())
        });
    }
    if !cut {
        return group.element(snippet.path(source.name()));
    }
    let at = first.span.position();
    let origin = Origin::path(source.name()).line(at.line).char_column(at.column);
    group.element(origin).element(snippet)
}

/// The part of `lines` that is shown: all of it, or what is around `span` of a line that is too
/// long for any terminal. Also whether something was cut.
fn window(text: &str, lines: &Range<usize>, span: &Range<usize>) -> (Range<usize>, bool) {
    let on_one_line = !text.get(lines.clone()).is_some_and(|lines| lines.contains('\n'));
    if lines.len() <= LONG_LINE || !on_one_line {
        return (lines.clone(), false);
    }
    let start = span.start.saturating_sub(AROUND).max(lines.start);
    let end = span.end.min(span.start + LONG_LINE).saturating_add(AROUND).min(lines.end);
    (text.floor_char_boundary(start)..text.ceil_char_boundary(end), true)
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
    fn a_long_line_is_cut_and_its_column_is_right() {
        let text = format!("a = 1\nb = [{}oops, {}]\n", "é, ".repeat(5000), "1, ".repeat(5000));
        let source = Source::new("web.pkr.hcl", text);
        let at = source.text().find("oops").expect("is there");
        let found = Diagnostic::error("x", "wrong").at(&Span::new(&source, at..at + 4), "here");
        insta::assert_snapshot!(render(&found.into(), Style { colour: false, width: 60 }), @"
        error[x]: wrong
         --> web.pkr.hcl:2:15006
          |
        2 | ..., é, é, é, é, é, é, oops, 1, 1, 1, 1, 1, 1, 1, 1, ...
          |                        ^^^^ here
        ");
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
