//! Template hashes that stay what they are.

use std::fs;
use std::path::Path;

use crate::corpus;
use crate::support::{Workspace, repository};

/// Templates besides the corpus, each with one build.
const OTHERS: [&str; 6] = [
    "fixtures/al2023/app.pkr.hcl",
    "fixtures/identity/recipe/app.pkr.hcl",
    "fixtures/legacy/web.json",
    "fixtures/spelling/web.json",
    "fixtures/spelling/web.pkr.hcl",
    "templates/quickstart.pkr.hcl",
];

const GOLDEN: &str = "fixtures/identity/golden.txt";

/// A change that moves one of these makes every image of the kind be built again. Say why in
/// CHANGELOG.md, and bump the version of the scheme (docs/hash.md).
#[test]
fn hashes_stay_what_they_are() {
    let workspace = Workspace::new();
    let mut lines = corpus::template_hashes();
    lines.extend(OTHERS.map(|path| {
        let hash = super::template_hash(&workspace, Path::new(path));
        format!("{}  {path}", hash.trim_end())
    }));
    let found = lines.join("\n") + "\n";
    let path = repository().join(GOLDEN);
    if std::env::var_os("BAKE_UPDATE_GOLDEN").is_some() {
        fs::write(path, found).expect("write golden hashes");
        return;
    }
    let expected = fs::read_to_string(path).expect(GOLDEN);
    let moved: Vec<_> =
        lines.iter().filter(|line| !expected.lines().any(|one| one == *line)).collect();
    let gone: Vec<_> =
        expected.lines().filter(|one| !lines.iter().any(|line| line == one)).collect();
    assert!(
        found == expected,
        "hashes have moved, or their order: now\n{moved:#?}\nbefore\n{gone:#?}\n\
         If that is meant: BAKE_UPDATE_GOLDEN=1 cargo test --test it golden"
    );
}
