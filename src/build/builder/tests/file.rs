//! The `file` builder.

use super::support::{check_in, hcl, said};
use crate::build::KINDS;

#[test]
fn what_is_missing_or_too_much_is_said() {
    insta::assert_snapshot!(said("file", ""), @"
    error[wrong-option]: `target` is needed
      where the file is to be written
    warning[empty-file]: the file will be empty
      give `content` or `source`
    ");
    insta::assert_snapshot!(
        said("file", "target = \"out\"\nsource = \"nowhere\"\ncontent = \"x\""),
        @"
    error[wrong-option]: `content` and `source` exclude each other
      give one of them
    error[wrong-option]: cannot read `nowhere`: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "
    );
}

#[test]
fn a_source_is_a_file_and_shapes_the_hash() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let plan = |body: &str| check_in(directory.path(), "a.pkr.hcl", &hcl("file", body), KINDS);
    let checked = plan("target = \"out\"\nsource = \".\"");
    assert!(checked.found.contains("`.` is not a file"), "{}", checked.found);
    let mut hashes = Vec::new();
    for text in ["one", "two"] {
        std::fs::write(directory.path().join("in"), text).expect("write");
        let checked = plan("target = \"out\"\nsource = \"in\"");
        let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.found));
        hashes.push(crate::plan::identity::template_hash(&plan).hex());
    }
    assert_ne!(hashes[0], hashes[1]);
}
