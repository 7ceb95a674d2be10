//! From a path to a template.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};

use super::{collect, legacy};
use crate::template::declaration::Template;
use crate::template::json;
use crate::template::syntax::{Body, parse_hcl, parse_hcl_json};

/// Bytes of the largest file that is read as a template.
const LARGEST: u64 = 16 << 20;

/// What stands for standard input in place of a path.
const STANDARD_INPUT: &str = "-";

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::template) enum Format {
    Hcl,
    HclJson,
    LegacyJson,
}

/// A template and the variable files that come with its directory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is declared.
    pub template: Template,
    /// The files that declare it; none when it came from elsewhere.
    pub files: Vec<PathBuf>,
    /// `*.auto.pkrvars.hcl`, then `*.auto.pkrvars.json`, in the order in which they count.
    pub variable_files: Vec<PathBuf>,
    /// Warnings.
    pub warnings: Diagnostics,
}

/// How the names of the files end that belong to a template which is a directory.
pub const DIRECTORY_ENDINGS: [&str; 4] =
    [".pkr.hcl", ".pkr.json", ".auto.pkrvars.hcl", ".auto.pkrvars.json"];

/// Reads a template: an HCL or JSON file, a directory with `*.pkr.hcl` and `*.pkr.json` files, or
/// `-` for legacy JSON from standard input.
///
/// # Errors
/// Files that cannot be read, and everything in them that is wrong before evaluation.
pub fn load(path: &Path) -> Result<Loaded, Diagnostics> {
    let mut found = Diagnostics::new();
    let mut variable_files = Vec::new();
    let (template_files, root) = if path.is_dir() {
        let names = directory_files(path)?;
        let ending =
            |end: &'static str| names.iter().filter(move |name| has_ending(name, end)).cloned();
        let [hcl, json, hcl_values, json_values] = DIRECTORY_ENDINGS;
        variable_files.extend(ending(hcl_values).chain(ending(json_values)));
        let files: Vec<_> = ending(hcl).chain(ending(json)).collect();
        if files.is_empty() {
            return Err(Diagnostic::error(
                "missing-template",
                format!("`{}` has no `*.pkr.hcl` or `*.pkr.json` file", path.display()),
            )
            .help("name the template file itself, or add `.pkr` to its name")
            .into());
        }
        (files, path.to_owned())
    } else {
        (vec![path.to_owned()], directory_of(path))
    };
    let mut bodies: Vec<Body> = Vec::new();
    let mut template = None;
    for file in &template_files {
        let from_stdin = file.as_os_str() == STANDARD_INPUT;
        let read = if from_stdin { read_standard_input() } else { read_source(file) };
        let Some(source) = found.take(read) else { continue };
        // As in Packer, HCL comes from files only.
        let format = if from_stdin { Format::LegacyJson } else { format_of(file, &source)? };
        match format {
            Format::Hcl => {
                let (body, errors) = parse_hcl(&source);
                found.extend(errors);
                bodies.push(body);
            }
            Format::HclJson => {
                let (body, errors) = parse_hcl_json(&source);
                found.extend(errors);
                bodies.push(body);
            }
            Format::LegacyJson => {
                if let Some(node) = found.take(json::parse(
                    &source,
                    json::ParseOptions { duplicates: json::Duplicates::Refuse },
                )) {
                    template = Some(legacy::read(&node, &root, &mut found));
                }
            }
        }
    }
    // What could not be parsed would only cause follow-up errors.
    if found.has_errors() {
        return Err(found);
    }
    let template = template.or_else(|| {
        let whole = bodies.first().map(|body| Span::new(body.span.source(), 0..0))?;
        Some(collect::collect(&bodies, &root, whole, &mut found))
    });
    match template {
        Some(template) if !found.has_errors() => {
            let is_file = |path: &PathBuf| path.as_os_str() != STANDARD_INPUT;
            let files = template_files.into_iter().filter(is_file).collect();
            Ok(Loaded { template, files, variable_files, warnings: found })
        }
        _ => Err(found),
    }
}

/// Reads a legacy template that is at hand already; `path` says where it would stand.
///
/// # Errors
/// As for [`load`].
pub fn load_legacy(source: &Arc<Source>, path: &Path) -> Result<Loaded, Diagnostics> {
    let mut found = Diagnostics::new();
    let options = json::ParseOptions { duplicates: json::Duplicates::Refuse };
    let template = legacy::read(&json::parse(source, options)?, &directory_of(path), &mut found);
    if found.has_errors() {
        return Err(found);
    }
    Ok(Loaded { template, files: Vec::new(), variable_files: Vec::new(), warnings: found })
}

/// The directory of a file as it was typed.
fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// Reads a template in HCL that is at hand already; `root` is its `path.root`.
///
/// # Errors
/// As for [`load`].
pub fn load_hcl(source: &Arc<Source>, root: &Path) -> Result<Loaded, Diagnostics> {
    let (body, mut found) = parse_hcl(source);
    if found.has_errors() {
        return Err(found);
    }
    let whole = Span::new(source, 0..0);
    let template = collect::collect(&[body], root, whole, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    Ok(Loaded { template, files: Vec::new(), variable_files: Vec::new(), warnings: found })
}

/// The files of a directory in byte order of their names.
fn directory_files(path: &Path) -> Result<Vec<PathBuf>, Diagnostics> {
    let unreadable = |error: std::io::Error| {
        Diagnostics::from(Diagnostic::error(
            "unreadable",
            format!("cannot read the directory `{}`: {error}", path.display()),
        ))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(ending))
}

/// Reads a text file, bounded.
pub(crate) fn read_source(path: &Path) -> Result<Arc<Source>, Diagnostics> {
    let failed = |what: String| {
        Diagnostics::from(Diagnostic::error("unreadable", what).help("check the path"))
    };
    let size = std::fs::metadata(path)
        .map_err(|error| failed(format!("cannot read `{}`: {error}", path.display())))?
        .len();
    if size > LARGEST {
        return Err(failed(format!(
            "`{}` is too large: {size} bytes, at most {LARGEST} are read",
            path.display()
        )));
    }
    let bytes = std::fs::read(path)
        .map_err(|error| failed(format!("cannot read `{}`: {error}", path.display())))?;
    source_of(path.display().to_string(), bytes)
}

/// Reads all of standard input, bounded.
fn read_standard_input() -> Result<Arc<Source>, Diagnostics> {
    let mut bytes = Vec::new();
    let failed = |what: String| Diagnostics::from(Diagnostic::error("unreadable", what));
    std::io::stdin()
        .lock()
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(format!("cannot read standard input: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(format!(
            "standard input is too large: at most {LARGEST} bytes are read"
        )));
    }
    source_of("<standard input>".to_owned(), bytes)
}

fn source_of(name: String, bytes: Vec<u8>) -> Result<Arc<Source>, Diagnostics> {
    String::from_utf8(bytes).map(|text| Source::new(name.clone(), text)).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        let source = Source::new(name.clone(), String::from_utf8_lossy(error.as_bytes()));
        let place = Span::new(&source, start..start + char::REPLACEMENT_CHARACTER.len_utf8());
        Diagnostic::error("not-utf-8", format!("`{name}` is not UTF-8"))
            .at(&place, "no character begins with this byte")
            .help("save the file as UTF-8")
            .into()
    })
}

fn format_of(path: &Path, source: &Arc<Source>) -> Result<Format, Diagnostics> {
    if has_ending(path, ".pkr.json") {
        return Ok(Format::HclJson);
    }
    if has_ending(path, ".hcl") {
        return Ok(Format::Hcl);
    }
    if has_ending(path, ".json") || source.text().trim_start().starts_with('{') {
        return Ok(Format::LegacyJson);
    }
    Err(Diagnostic::error(
        "unknown-format",
        format!("`{}` is neither HCL nor JSON by its name", path.display()),
    )
    .help("name it `*.pkr.hcl` or `*.hcl` (HCL2), `*.pkr.json` (HCL2 in JSON) or `*.json` (legacy)")
    .into())
}
