//! Functions on paths and files.
//!
//! Relative paths start from the directory of the template. Packer's `filebase64` alone starts
//! from the working directory; here it looks there too when the template's directory has no such
//! file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::declaration::{Call, Failure, Function, Of, Outcome, any, string};
use crate::diagnostic::Source;
use crate::template::evaluate::evaluate;
use crate::template::syntax::parse_template;
use crate::value::{Kind, Type, Value, is_identifier};

/// The largest file that is read.
const SIZE: u64 = 64 << 20;
/// The most files that `fileset` looks at.
const FILES: usize = 500_000;
/// How deep `fileset` goes.
const DEPTH: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "abspath",
        &[string("path")],
        Of::String,
        "a path as an absolute one, from the working directory",
        |call| Ok(Value::string(shown(&clean(&call.context().cwd.join(call.text(0)))))),
    ),
    Function::new("basename", &[string("path")], Of::String, "the last part of a path", |call| {
        Ok(Value::string(basename(call.text(0))))
    }),
    Function::new(
        "dirname",
        &[string("path")],
        Of::String,
        "a path without its last part",
        |call| Ok(Value::string(dirname(call.text(0)))),
    ),
    Function::new(
        "env",
        &[string("name")],
        Of::String,
        "a variable of the environment, empty when it is not set",
        |call| Ok(Value::string(call.context().environment(call.text(0)).unwrap_or_default())),
    ),
    Function::new("file", &[string("path")], Of::String, "the text of a file", |call| {
        text(call, 0).map(Value::string)
    }),
    Function::new("filebase64", &[string("path")], Of::String, "a file in base64", |call| {
        let from_root = resolved(call, 0)?;
        let from_cwd = call.context().cwd.join(call.text(0));
        let path = if !from_root.exists() && from_cwd.exists() { from_cwd } else { from_root };
        Ok(Value::string(STANDARD.encode(read_path(call, 0, &path)?)))
    }),
    Function::new(
        "fileexists",
        &[string("path")],
        Of::Bool,
        "whether a regular file exists",
        fileexists,
    ),
    Function::new(
        "fileset",
        &[string("directory"), string("pattern")],
        Of::Set(&Of::String),
        "the files in a directory that match a pattern with `*`, `**`, `?`, `[…]` and `{…}`",
        fileset,
    ),
    Function::new(
        "pathexpand",
        &[string("path")],
        Of::String,
        "a path with `~` replaced by the home directory",
        |call| expanded(call, 0).map(|path| Value::string(shown(&path))),
    ),
    Function::new(
        "templatefile",
        &[string("path"), any("variables")],
        Of::Any,
        "the text of a file, evaluated as a template with these variables",
        templatefile,
    ),
];

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Argument `at` as a path, with `~` replaced.
fn expanded(call: &Call<'_>, at: usize) -> Result<PathBuf, Failure> {
    let path = call.text(at);
    let Some(rest) = path.strip_prefix('~') else { return Ok(PathBuf::from(path)) };
    if !rest.is_empty() && !rest.starts_with('/') {
        return Err(Failure::of(at, "the home directory of another user is not known"));
    }
    match call.context().environment("HOME") {
        Some(home) => Ok(PathBuf::from(home + rest)),
        None => Err(Failure::of(at, "the home directory is not known").help("set `HOME`")),
    }
}

/// Argument `at` as a path from the directory of the template.
fn resolved(call: &Call<'_>, at: usize) -> Result<PathBuf, Failure> {
    Ok(call.context().root_dir.join(expanded(call, at)?))
}

/// The bytes of the file that argument `at` names.
pub(super) fn read(call: &Call<'_>, at: usize) -> Result<Vec<u8>, Failure> {
    read_path(call, at, &resolved(call, at)?)
}

fn read_path(call: &Call<'_>, at: usize, path: &Path) -> Result<Vec<u8>, Failure> {
    let name = || {
        if call.is_sensitive(at) {
            "(sensitive path)".into()
        } else {
            format!("`{}`", path.display())
        }
    };
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::of(at, format!("no such file: {}", name()))
            .help("paths start from the directory of the template"),
        ErrorKind::PermissionDenied => Failure::of(at, format!("may not read {}", name())),
        _ => Failure::of(at, format!("cannot read {}: {error}", name())),
    };
    let metadata = path.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Failure::of(at, format!("{} is a directory", name())));
    }
    if !metadata.is_file() {
        return Err(Failure::of(at, format!("{} is not a regular file", name())));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SIZE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SIZE {
        return Err(Failure::of(at, format!("{} is larger than 64 MiB", name())));
    }
    Ok(bytes)
}

fn text(call: &Call<'_>, at: usize) -> Result<String, Failure> {
    String::from_utf8(read(call, at)?).map_err(|_| {
        Failure::of(at, format!("the file {} is not UTF-8 text", call.shown(at)))
            .help("read it with `filebase64`")
    })
}

fn fileexists(call: &Call<'_>) -> Outcome {
    let path = resolved(call, 0)?;
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Value::bool(true)),
        Ok(_) => Err(Failure::of(0, format!("{} is not a regular file", call.shown(0)))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(Value::bool(false))
        }
        Err(error) => Err(Failure::of(0, format!("cannot look at {}: {error}", call.shown(0)))),
    }
}

fn fileset(call: &Call<'_>) -> Outcome {
    let root = resolved(call, 0)?;
    let pattern = globset::GlobBuilder::new(call.text(1))
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| {
            Failure::of(1, format!("invalid pattern{}", call.detail(1, error.kind())))
        })?
        .compile_matcher();
    let mut found = BTreeSet::new();
    let mut seen = 0;
    walk(&root, &mut PathBuf::new(), 0, &mut seen, &mut |path| {
        if pattern.is_match(path) {
            found.insert(shown(path).replace('\\', "/"));
        }
    })
    .map_err(|message| Failure::of(0, message))?;
    let found = found.into_iter().map(Value::string).collect();
    Ok(Value::new(Kind::Set(Type::String, found)))
}

/// All regular files under `root`, as paths relative to it.
fn walk(
    root: &Path,
    inside: &mut PathBuf,
    depth: usize,
    seen: &mut usize,
    visit: &mut impl FnMut(&Path),
) -> Result<(), String> {
    let directory = root.join(&inside);
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        // A directory that is not there has no files.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(format!("cannot read `{}`: {error}", directory.display())),
    };
    if depth > DEPTH {
        return Err(format!("`{}` lies more than {DEPTH} directories deep", directory.display()));
    }
    for entry in entries {
        let entry =
            entry.map_err(|error| format!("cannot read `{}`: {error}", directory.display()))?;
        *seen += 1;
        if *seen > FILES {
            return Err(format!("there are more than {FILES} files"));
        }
        inside.push(entry.file_name());
        // Symbolic links to files count as files; those to directories are not followed, because
        // they may lead in a circle.
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        match root.join(&inside).metadata() {
            Ok(metadata) if metadata.is_file() => visit(inside),
            Ok(metadata) if metadata.is_dir() && !is_link => {
                walk(root, inside, depth + 1, seen, visit)?;
            }
            _ => {}
        }
        inside.pop();
    }
    Ok(())
}

fn templatefile(call: &Call<'_>) -> Outcome {
    let text = text(call, 0)?;
    let variables = match call.get(1).map(|value| &value.kind) {
        Some(Kind::Map(_, all) | Kind::Object(all)) => all,
        _ => return Err(Failure::of(1, "a map or an object of variables is required")),
    };
    let mut scope = call.scope.for_template_file();
    for (name, value) in variables {
        if !is_identifier(name) {
            let name = if call.is_sensitive(1) {
                "a sensitive key".into()
            } else {
                Value::string(name).to_string()
            };
            return Err(Failure::of(1, format!("{name} cannot be the name of a variable"))
                .help("a name has letters, digits, `_` and `-`"));
        }
        scope.set(name, value.clone());
    }
    let source = Source::new(call.text(0), text);
    parse_template(&source).and_then(|template| evaluate(&template, &scope)).map_err(|inner| {
        let mut failure = Failure::of(0, format!("the template {} has errors", call.shown(0)));
        // The file's own text may be shown, but not the values that were marked for the call.
        failure.inner = inner;
        if call.is_sensitive(1) {
            failure.inner = failure
                .inner
                .into_iter()
                .map(|mut report| {
                    report.notes.clear();
                    report
                })
                .collect();
        }
        failure
    })
}

/// `path` without `.`, `..` and double slashes, as far as that can be said without looking.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match cleaned.components().next_back() {
                Some(Component::Normal(_)) => {
                    cleaned.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => cleaned.push(".."),
            },
            other => cleaned.push(other),
        }
    }
    if cleaned.as_os_str().is_empty() { PathBuf::from(".") } else { cleaned }
}

fn basename(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

fn dirname(path: &str) -> String {
    let directory = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or_default();
    shown(&clean(Path::new(directory)))
}
