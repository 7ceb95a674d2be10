//! Roles and collections that are installed before a playbook runs, and lines of commands.

use crate::communicator::quote;

/// How `ansible-galaxy` installs.
#[derive(Clone, Debug, Default)]
pub(super) struct Galaxy {
    /// Where roles go.
    pub(super) roles_path: Option<String>,
    /// Where collections go.
    pub(super) collections_path: Option<String>,
    /// Whether those that are there are replaced.
    pub(super) force_install: bool,
    /// Whether those that they depend on are replaced, too.
    pub(super) force_with_deps: bool,
}

impl Galaxy {
    /// The arguments of `ansible-galaxy`, one run after the other, for a file and its text. A file
    /// without a section for either is one of old, which lists roles.
    pub(super) fn installs(&self, file: &str, text: &str) -> Vec<Vec<String>> {
        let has = |section: &str| text.lines().any(|line| line.starts_with(section));
        let (roles, collections) = (has("roles:"), has("collections:"));
        let mut runs = Vec::new();
        if roles || !collections {
            runs.push(self.run(&["install"], file, self.roles_path.as_deref()));
        }
        if collections {
            let path = self.collections_path.as_deref();
            runs.push(self.run(&["collection", "install"], file, path));
        }
        runs
    }

    fn run(&self, command: &[&str], file: &str, path: Option<&str>) -> Vec<String> {
        let mut words = command.to_vec();
        words.extend(["-r", file]);
        if let Some(path) = path.filter(|path| !path.is_empty()) {
            words.extend(["-p", path]);
        }
        // That replaces those that are asked for as well.
        if self.force_with_deps {
            words.push("--force-with-deps");
        } else if self.force_install {
            words.push("--force");
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Words as a line for a shell, or for people. Flags are not quoted for their dashes.
pub(super) fn line<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    let word = |word: &String| {
        let plain = word.trim_start_matches('-');
        if !plain.is_empty() && quote(plain) == plain { word.clone() } else { quote(word) }
    };
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(galaxy: &Galaxy, text: &str) -> Vec<String> {
        galaxy.installs("r.yml", text).iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn flags_stay_readable() {
        let words = ["a", "-r", "--force", "--x=y z", "-", "it's"].map(str::to_owned);
        assert_eq!(line(&words), r"a -r --force '--x=y z' '-' 'it'\''s'");
    }

    #[test]
    fn roles_and_collections_are_installed_apart() {
        let mut galaxy = Galaxy { roles_path: Some("r".into()), ..Galaxy::default() };
        assert_eq!(lines(&galaxy, "- src: x\n"), ["install -r r.yml -p r"]);
        assert_eq!(lines(&galaxy, "---\nroles:\n  - x\n"), ["install -r r.yml -p r"]);
        galaxy.force_install = true;
        assert_eq!(
            lines(&galaxy, "collections:\n  - x\n"),
            ["collection install -r r.yml --force"]
        );
        galaxy.force_with_deps = true;
        assert_eq!(
            lines(&galaxy, "roles: []\ncollections: []\n"),
            [
                "install -r r.yml -p r --force-with-deps",
                "collection install -r r.yml --force-with-deps"
            ]
        );
    }
}
