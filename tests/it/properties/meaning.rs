//! Layout, order, files and spelling do not change what a template means.

use std::fs;

use bake::diagnostic::Source;
use bake::template::layout::format_hcl;
use proptest::prelude::*;

use super::recipe::recipe;
use super::{fixtures, meaning, runner};
use crate::support::Workspace;

#[test]
fn layout_changes_no_hash_and_is_done_once() {
    let workspace = Workspace::new();
    let (before, after) =
        (workspace.path().join("before.pkr.hcl"), workspace.path().join("after.pkr.hcl"));
    let check = |recipe: super::recipe::Recipe| {
        // One line may hold much; where line ends may be, they are.
        let text = recipe.blocks(0).concat().replace(", ", ",  ").replace(" = ", "   =");
        let once = format_hcl(&Source::new("t", text.as_str())).expect("parses");
        prop_assert_eq!(&format_hcl(&Source::new("t", once.as_str())).expect("parses"), &once);
        fs::write(&before, text).expect("write");
        fs::write(&after, once).expect("write");
        let expected = meaning(&before);
        prop_assert!(expected.is_ok(), "{expected:?}");
        prop_assert_eq!(meaning(&after), expected);
        Ok(())
    };
    runner(30).run(&recipe(), check).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn layout_of_fixtures_changes_no_hash() {
    let mut formatted = 0;
    for (path, text) in fixtures(&[".hcl"]) {
        let Ok(once) = format_hcl(&Source::new("t", text.as_str())) else { continue };
        assert_eq!(format_hcl(&Source::new("t", once.as_str())).as_ref(), Ok(&once), "{path:?}");
        // Beside the original, since paths start from there; gone even when the test fails.
        let directory = path.parent().expect("a directory");
        let mut file = tempfile::Builder::new()
            .prefix(".formatted-")
            .suffix(".pkr.hcl")
            .tempfile_in(directory)
            .expect("a file");
        std::io::Write::write_all(&mut file, once.as_bytes()).expect("write");
        let before = meaning(&path);
        if before.is_ok() {
            assert_eq!(meaning(file.path()), before, "{path:?}");
            formatted += 1;
        }
    }
    assert!(formatted >= 3, "{formatted}");
}

#[test]
fn order_and_files_change_nothing() {
    let workspace = Workspace::new();
    let one = workspace.path().join("one.pkr.hcl");
    // A place for each block: there are no more than 20.
    let cases = (recipe(), 0usize..6, prop::collection::vec(any::<u32>(), 20));
    let check = |(recipe, turn, places): (super::recipe::Recipe, usize, Vec<u32>)| {
        fs::write(&one, recipe.blocks(0).concat()).expect("write");
        let expected = meaning(&one);
        prop_assert!(expected.is_ok(), "{expected:?}");
        let mut blocks: Vec<_> = places.into_iter().zip(recipe.blocks(turn)).collect();
        blocks.sort();
        let blocks: Vec<_> = blocks.into_iter().map(|(_, block)| block).collect();
        let directory = tempfile::tempdir_in(workspace.path()).expect("a directory");
        let count = turn % 3 + 1;
        for (number, part) in blocks.chunks(blocks.len().div_ceil(count)).enumerate() {
            let file = directory.path().join(format!("{number}.pkr.hcl"));
            fs::write(file, part.concat()).expect("write");
        }
        prop_assert_eq!(meaning(directory.path()), expected);
        Ok(())
    };
    runner(40).run(&cases, check).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn both_spellings_mean_the_same() {
    let workspace = Workspace::new();
    let (hcl, json) = (workspace.path().join("t.pkr.hcl"), workspace.path().join("t.pkr.json"));
    let check = |recipe: super::recipe::Recipe| {
        fs::write(&hcl, recipe.blocks(1).concat()).expect("write");
        fs::write(&json, recipe.json()).expect("write");
        let expected = meaning(&hcl);
        prop_assert!(expected.is_ok(), "{expected:?}");
        prop_assert_eq!(meaning(&json), expected);
        Ok(())
    };
    runner(40).run(&recipe(), check).unwrap_or_else(|failure| panic!("{failure}"));
}
