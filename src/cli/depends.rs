//! `bake inputs`: what a template depends on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::plan::record::relative;
use crate::plan::{Content, Entry, IGNORE_FILE, Plan, Tree};
use crate::render::Mask;
use crate::template::DIRECTORY_ENDINGS;

use super::Exit;
use super::arguments::{DependsArguments, TemplateArguments};
use super::inputs::{Inputs, Prepared};
use super::outcome::{print, report};

/// Lists files and variables.
pub(super) fn run(arguments: &DependsArguments, mask: &Mask) -> Exit {
    let listed = Inputs::read(&arguments.template, true, mask).and_then(|inputs| {
        let prepared = inputs.offline("what it leads to cannot be listed", mask)?;
        Ok(Dependencies::of(&arguments.template, &inputs, &prepared))
    });
    match listed {
        Ok(found) => {
            let text = if arguments.json {
                found.json()
            } else if arguments.paths {
                found.paths()
            } else {
                found.text()
            };
            print(&mask.apply(&text));
            Exit::Done
        }
        Err(found) => {
            report(&found, mask);
            Exit::Failed
        }
    }
}

/// What a template depends on. Paths are relative to the working directory; what is reached by a
/// symbolic link is listed where it is, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dependencies {
    /// Files, whether they are there or only looked for, and symbolic links.
    pub(super) files: BTreeSet<String>,
    /// Directories of which everything counts.
    pub(super) directories: BTreeSet<String>,
    /// Files that would count if they were there: of a template that is a directory.
    pub(super) patterns: BTreeSet<String>,
    /// Variables that the template declares.
    pub(super) variables: BTreeSet<String>,
    /// Environment variables.
    pub(super) environment: BTreeSet<String>,
}

impl Dependencies {
    pub(super) fn of(arguments: &TemplateArguments, inputs: &Inputs, prepared: &Prepared) -> Self {
        let directory = inputs.directory();
        let mut found = Self {
            variables: inputs.variables().map(str::to_owned).collect(),
            environment: inputs.environment_of_variables().collect(),
            ..Self::default()
        };
        let template = directory.join(&arguments.template);
        if template.is_dir() {
            let all = DIRECTORY_ENDINGS.iter().map(|end| template.join(format!("*{end}")));
            found.patterns.extend(all.map(|path| shown(&path, directory)));
        }
        for path in inputs.files() {
            found.add_file(&directory.join(path), directory);
        }
        let used = &prepared.used;
        for path in &used.files {
            found.add_file(path, directory);
        }
        for path in &used.directories {
            found.add_directory(path, directory);
        }
        found.environment.extend(used.environment.iter().cloned());
        for planned in prepared.plans.iter().flat_map(Plan::all_components) {
            for (name, tree) in &planned.trees {
                if let Some(place) = planned.places.get(name) {
                    found.add_tree(&directory.join(place), tree, directory);
                }
            }
        }
        found
    }

    fn add_file(&mut self, path: &Path, directory: &Path) {
        self.files.insert(shown(path, directory));
        self.files.extend(elsewhere(path, directory));
    }

    fn add_directory(&mut self, path: &Path, directory: &Path) {
        self.directories.insert(shown(path, directory));
        self.directories.extend(elsewhere(path, directory));
    }

    fn add_tree(&mut self, root: &Path, tree: &Tree, directory: &Path) {
        for (inside, entry) in &tree.entries {
            let below = root.join(inside);
            match entry {
                // What is left out of it is said by a file, too.
                Entry::Directory { .. } if inside.is_empty() => {
                    self.add_directory(root, directory);
                    let ignore = root.join(IGNORE_FILE);
                    if ignore.is_file() {
                        self.add_file(&ignore, directory);
                    }
                }
                // One that a link leads to is not below the root.
                Entry::Directory { .. } => {
                    self.directories.extend(elsewhere(&below, directory));
                }
                Entry::File { content: Content::File(path), .. } => {
                    self.add_file(path, directory);
                }
                Entry::File { .. } => {
                    self.add_file(if inside.is_empty() { root } else { &below }, directory);
                }
                Entry::Symlink { .. } => {
                    self.files.insert(shown(&below, directory));
                }
            }
        }
    }

    /// A line for each, with its kind.
    fn text(&self) -> String {
        let groups = [
            ("file", &self.files),
            ("directory", &self.directories),
            ("pattern", &self.patterns),
            ("variable", &self.variables),
            ("environment", &self.environment),
        ];
        let lines = groups.iter().flat_map(|(kind, all)| all.iter().map(move |one| (kind, one)));
        lines.map(|(kind, one)| format!("{kind:<11}  {one}\n")).collect()
    }

    /// Paths and patterns alone; those of directories end in `/`.
    fn paths(&self) -> String {
        let directories = self.directories.iter().map(|path| format!("{path}/"));
        let files = self.files.iter().chain(&self.patterns).cloned();
        let all: BTreeSet<_> = files.chain(directories).collect();
        all.into_iter().map(|path| path + "\n").collect()
    }

    fn json(&self) -> String {
        let all = json!({
            "files": self.files,
            "directories": self.directories,
            "patterns": self.patterns,
            "variables": self.variables,
            "environment": self.environment,
        });
        format!("{all:#}\n")
    }
}

/// Where a path leads, if there are symbolic links on the way: what git calls it.
fn elsewhere(path: &Path, directory: &Path) -> Option<String> {
    let there = shown(&fs::canonicalize(path).ok()?, &fs::canonicalize(directory).ok()?);
    (there != shown(path, directory)).then_some(there)
}

/// A path from the working directory, which itself is `.`.
fn shown(path: &Path, directory: &Path) -> String {
    match relative(path, directory).display().to_string() {
        here if here.is_empty() => ".".to_owned(),
        path => path,
    }
}
