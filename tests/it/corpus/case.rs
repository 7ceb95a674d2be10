//! Which templates there are, and how they are called.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Where the corpus is, from the repository.
pub(super) const ROOT: &str = "fixtures/corpus";

/// Part of every secret in the corpus, in no other text of it.
pub(super) const SECRET: &str = "hush-hush";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Valid,
    Invalid,
}

/// A template with what it is called with.
pub(super) struct Case {
    pub(super) expected: Expected,
    /// From the repository, where bake runs.
    pub(super) template: PathBuf,
    /// `-var NAME=VALUE`, in order.
    pub(super) variables: Vec<(String, String)>,
    /// `-var-file`, from the repository.
    pub(super) variable_files: Vec<PathBuf>,
    pub(super) only: Vec<String>,
    pub(super) except: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
}

impl Case {
    /// The path in the corpus.
    pub(super) fn name(&self) -> String {
        let inside = self.template.strip_prefix(ROOT).expect("a path in the corpus");
        inside.display().to_string()
    }

    /// Where its stored form is.
    pub(super) fn stored(&self) -> PathBuf {
        let kind = match self.expected {
            Expected::Valid => "evaluated",
            Expected::Invalid => "diagnostics",
        };
        repository().join(format!("{}.{kind}", self.template.display()))
    }

    /// The arguments as a user writes them.
    pub(super) fn command_line(&self) -> Vec<String> {
        let variables = self.variables.iter().map(|(name, value)| format!("-var={name}={value}"));
        let files = self.variable_files.iter().map(|file| format!("-var-file={}", file.display()));
        let only = self.only.iter().map(|pattern| format!("-only={pattern}"));
        let except = self.except.iter().map(|pattern| format!("-except={pattern}"));
        variables.chain(files).chain(only).chain(except).collect()
    }

    /// Reads what stands beside the template, an argument a line.
    fn of(expected: Expected, template: PathBuf) -> Self {
        let mut case = Self {
            expected,
            variables: Vec::new(),
            variable_files: Vec::new(),
            only: Vec::new(),
            except: Vec::new(),
            environment: BTreeMap::new(),
            template,
        };
        let beside = repository().join(format!("{}.args", case.template.display()));
        let text = if beside.exists() {
            fs::read_to_string(&beside).expect("read arguments")
        } else {
            String::new()
        };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (option, value) = line.split_once(' ').expect("an option and its value");
            let pair = || {
                let (name, value) = value.split_once('=').expect("NAME=VALUE");
                (name.to_owned(), value.to_owned())
            };
            let directory = case.template.parent().expect("a directory");
            match option {
                "-var" => case.variables.push(pair()),
                "-var-file" => case.variable_files.push(directory.join(value)),
                "-only" => case.only.extend(value.split(',').map(str::to_owned)),
                "-except" => case.except.extend(value.split(',').map(str::to_owned)),
                "env" => case.environment.extend([pair()]),
                _ => panic!("{}: what is `{option}`?", beside.display()),
            }
        }
        case
    }
}

/// All templates of the corpus, in order of their names.
pub(super) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, expected) in [("valid", Expected::Valid), ("invalid", Expected::Invalid)] {
        for section in entries(&Path::new(ROOT).join(folder)) {
            let templates = entries(&section).into_iter().filter(|path| is_template(path));
            cases.extend(templates.map(|template| Case::of(expected, template)));
        }
    }
    cases
}

/// What is in a directory of the repository, sorted.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let inside = fs::read_dir(repository().join(directory)).expect("a directory");
    let mut paths: Vec<_> =
        inside.map(|entry| directory.join(entry.expect("an entry").file_name())).collect();
    paths.sort();
    paths
}

/// A template file, or a directory of them.
fn is_template(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    if repository().join(path).is_dir() {
        return entries(path).iter().any(|inside| is_hcl(&inside.display().to_string()))
            || name.starts_with("no-template");
    }
    let is_input = name.contains(".pkrvars.") || name.ends_with(".vars.json");
    (is_hcl(name) || name.ends_with(".json")) && !is_input
}

fn is_hcl(name: &str) -> bool {
    name.ends_with(".pkr.hcl") || name.ends_with(".pkr.json")
}
