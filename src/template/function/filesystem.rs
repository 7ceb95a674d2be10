//! Functions on paths and files.
//!
//! Relative paths start from the directory of the template, and `~` is the home directory.
//! `filebase64` alone, as in Packer, starts from the working directory and knows no `~`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

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
        let path = call.context().cwd.join(call.text(0));
        let bytes = read_path(call, 0, &path, FROM_CWD)?;
        Ok(Value::string(STANDARD.encode(bytes)))
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
    Function::new(
        "templatestring",
        &[string("template"), any("variables")],
        Of::Any,
        "a text, evaluated as a template with these variables",
        templatestring,
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
    read_path(call, at, &resolved(call, at)?, "paths start from the directory of the template")
}

/// What to say when `filebase64` finds no file.
const FROM_CWD: &str = "paths of `filebase64` start from the working directory; for a file beside \
    the template write `filebase64(\"${path.root}/…\")`";

fn read_path(call: &Call<'_>, at: usize, path: &Path, base: &str) -> Result<Vec<u8>, Failure> {
    let name = || {
        if call.is_sensitive(at) {
            "(sensitive path)".into()
        } else {
            format!("`{}`", path.display())
        }
    };
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::of(at, format!("no such file: {}", name())).help(base),
        ErrorKind::PermissionDenied => Failure::of(at, format!("may not read {}", name())),
        _ => Failure::of(at, format!("cannot read {}: {error}", name())),
    };
    call.context().uses_file(path);
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
    call.context().uses_file(&path);
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
    call.context().uses_directory(&root);
    let pattern = globset::GlobBuilder::new(call.text(1))
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|error| {
            Failure::of(1, format!("invalid pattern{}", call.detail(1, error.kind())))
        })?
        .compile_matcher();
    let mut found = BTreeSet::new();
    let mut walk = Walk { root: &root, inside: PathBuf::new(), above: Vec::new(), seen: 0 };
    walk.directory(&mut |path| {
        if pattern.is_match(path) {
            found.insert(shown(path).replace('\\', "/"));
        }
    })
    .map_err(|(path, what)| {
        let path = if call.is_sensitive(0) {
            "a directory in it".into()
        } else {
            format!("`{}`", path.display())
        };
        Failure::of(0, format!("{path} {what}"))
    })?;
    let found = found.into_iter().map(Value::string).collect();
    Ok(Value::new(Kind::Set(Type::String, found)))
}

/// A walk over the regular files under a directory, through symbolic links too.
struct Walk<'a> {
    root: &'a Path,
    /// Where it is, from the root.
    inside: PathBuf,
    /// The real paths of the directories it is in.
    above: Vec<PathBuf>,
    seen: usize,
}

impl Walk<'_> {
    /// Visits the files of the directory it is in; an error names a path and says what is wrong
    /// with it.
    fn directory(&mut self, visit: &mut impl FnMut(&Path)) -> Result<(), (PathBuf, String)> {
        let directory = self.root.join(&self.inside);
        let failed =
            |error: std::io::Error| (directory.clone(), format!("cannot be read: {error}"));
        let entries = match std::fs::read_dir(&directory) {
            Ok(entries) => entries,
            // A directory that is not there has no files.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        // A link that leads back into a directory above would never end.
        let real = directory.canonicalize().map_err(failed)?;
        if self.above.contains(&real) {
            return Ok(());
        }
        if self.above.len() > DEPTH {
            return Err((directory, format!("lies more than {DEPTH} directories deep")));
        }
        self.above.push(real);
        for entry in entries {
            let entry = entry.map_err(failed)?;
            self.seen += 1;
            if self.seen > FILES {
                return Err((
                    self.root.to_owned(),
                    format!("has more than {FILES} files, those behind links counted each time"),
                ));
            }
            self.inside.push(entry.file_name());
            // Links that lead nowhere, sockets and the like are no files.
            match self.root.join(&self.inside).metadata() {
                Ok(metadata) if metadata.is_file() => visit(&self.inside),
                Ok(metadata) if metadata.is_dir() => self.directory(visit)?,
                _ => {}
            }
            self.inside.pop();
        }
        self.above.pop();
        Ok(())
    }
}

fn templatefile(call: &Call<'_>) -> Outcome {
    let source = Source::new(call.text(0), text(call, 0)?);
    rendered(call, &source, format!("the template {} has errors", call.shown(0)))
}

fn templatestring(call: &Call<'_>) -> Outcome {
    let source = Source::new("templatestring", call.text(0));
    rendered(call, &source, "the template has errors".into())
}

/// A template, evaluated with the variables that the second argument holds.
fn rendered(call: &Call<'_>, source: &Arc<Source>, errors: String) -> Outcome {
    let variables = match call.get(1).map(|value| &value.kind) {
        Some(Kind::Map(_, all) | Kind::Object(all)) => all,
        other => {
            let what =
                other.map_or_else(String::new, |kind| Value::new(kind.clone()).type_of().a_noun());
            return Err(Failure::of(
                1,
                format!("a map or an object of variables is required, but this is {what}"),
            ));
        }
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
    parse_template(source).and_then(|template| evaluate(&template, &scope)).map_err(|inner| {
        let mut failure = Failure::of(0, errors);
        // A snippet would show the template, or the path it comes from.
        if call.is_sensitive(0) {
            return failure;
        }
        failure.inner = inner;
        // The text of a file may be shown, but not the values that were marked for the call.
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
