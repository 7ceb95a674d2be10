//! `bake inputs`: what a template depends on.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::plan::record::{relative, tree_path};
use crate::plan::{Content, Entry, IGNORE_FILE, Plan, Planned, Tree};
use crate::render::Mask;

use super::Exit;
use super::arguments::DependsArguments;
use super::inputs::{Inputs, Prepared};
use super::outcome::{print, report};

/// Lists files and variables.
pub(super) fn run(arguments: &DependsArguments, mask: &Mask) -> Exit {
    let listed = Inputs::read(&arguments.template, true, mask).and_then(|inputs| {
        let prepared = inputs.offline("what it leads to cannot be listed", mask)?;
        Ok(Dependencies::of(&inputs, &prepared))
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

/// What a template depends on. Paths are relative to the working directory.
#[derive(Debug, Default, PartialEq, Eq)]
struct Dependencies {
    /// Files, whether they are there or only looked for, and symbolic links.
    files: BTreeSet<String>,
    /// Directories of which everything counts.
    directories: BTreeSet<String>,
    /// Variables that the template declares.
    variables: BTreeSet<String>,
    /// Environment variables.
    environment: BTreeSet<String>,
}

impl Dependencies {
    fn of(inputs: &Inputs, prepared: &Prepared) -> Self {
        let directory = inputs.directory();
        let mut found = Self {
            variables: inputs.variables().map(str::to_owned).collect(),
            environment: inputs.environment_of_variables().collect(),
            ..Self::default()
        };
        let read = inputs.files().map(|path| directory.join(path));
        found.files.extend(read.map(|path| shown(&path, directory)));
        let used = &prepared.used;
        found.files.extend(used.files.iter().map(|path| shown(path, directory)));
        found.directories.extend(used.directories.iter().map(|path| shown(path, directory)));
        found.environment.extend(used.environment.iter().cloned());
        for planned in prepared.plans.iter().flat_map(Plan::all_components) {
            for (name, tree) in &planned.trees {
                found.add_tree(planned, name, tree, directory);
            }
        }
        found
    }

    fn add_tree(&mut self, planned: &Planned, name: &str, tree: &Tree, directory: &Path) {
        let Some(root) = tree_path(planned, name, tree, directory) else { return };
        for (inside, entry) in &tree.entries {
            let below = root.join(inside);
            match entry {
                // What is left out of it is said by a file, too.
                Entry::Directory { .. } if inside.is_empty() => {
                    self.directories.insert(shown(&root, directory));
                    let ignore = root.join(IGNORE_FILE);
                    if ignore.is_file() {
                        self.files.insert(shown(&ignore, directory));
                    }
                }
                Entry::Directory { .. } => {}
                Entry::File { content: Content::File(path), .. } => {
                    self.files.insert(shown(path, directory));
                }
                Entry::File { .. } | Entry::Symlink { .. } => {
                    let path = if inside.is_empty() { &root } else { &below };
                    self.files.insert(shown(path, directory));
                }
            }
        }
    }

    /// A line for each, with its kind.
    fn text(&self) -> String {
        let groups = [
            ("file", &self.files),
            ("directory", &self.directories),
            ("variable", &self.variables),
            ("environment", &self.environment),
        ];
        let lines = groups.iter().flat_map(|(kind, all)| all.iter().map(move |one| (kind, one)));
        lines.map(|(kind, one)| format!("{kind:<11}  {one}\n")).collect()
    }

    /// Paths alone; those of directories end in `/`.
    fn paths(&self) -> String {
        let directories = self.directories.iter().map(|path| format!("{path}/"));
        let all: BTreeSet<_> = self.files.iter().cloned().chain(directories).collect();
        all.into_iter().map(|path| path + "\n").collect()
    }

    fn json(&self) -> String {
        let all = json!({
            "files": self.files,
            "directories": self.directories,
            "variables": self.variables,
            "environment": self.environment,
        });
        format!("{all:#}\n")
    }
}

/// A path from the working directory, which itself is `.`.
fn shown(path: &Path, directory: &Path) -> String {
    match relative(path, directory).display().to_string() {
        here if here.is_empty() => ".".to_owned(),
        path => path,
    }
}
