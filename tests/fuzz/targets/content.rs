//! Lists of what layers hold, and what was recorded of an image: any bytes are read without a
//! panic; lists can be put together, digested and compared; texts of names are read as they are
//! written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::content::{
    Base, FileTree, ImageContent, differences, escape, of_bytes, of_path, unescape,
};

const SEED: &[u8] = include_bytes!("../seeds/content/layer");

fuzz_target!(|data: &[u8]| {
    assert_eq!(unescape(&escape(data)).as_deref(), Some(data));
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(bytes) = unescape(text)
    {
        assert_eq!(unescape(&escape(&bytes)), Some(bytes));
        let _cause = of_path(text);
    }
    let (first, second) = data.split_at(data.len() / 2);
    let _cause = of_bytes(first, second);
    if let Ok(content) = serde_json::from_slice::<ImageContent>(data) {
        let written = serde_json::to_vec(&content).expect("it can be written");
        assert_eq!(serde_json::from_slice::<ImageContent>(&written).ok(), Some(content));
    }
    let Ok(tree) = serde_json::from_slice::<FileTree>(data) else { return };
    let written = serde_json::to_vec(&tree).expect("it can be written");
    assert_eq!(serde_json::from_slice::<FileTree>(&written).ok().as_ref(), Some(&tree));
    assert!(differences(&tree, &tree).is_empty());
    let seed: FileTree = serde_json::from_slice(SEED).expect("the seed is a list");
    for layers in [[&seed, &tree], [&tree, &seed]] {
        let over = FileTree::over(layers);
        let base = Base::Host { system: "debian 13".to_owned(), packages: None };
        let _digest = (over.content_digest(&base), over.tree_digest(), over.layer_digest());
        for one in differences(layers[0], &over) {
            assert!(!one.what().is_empty(), "{one:?}");
        }
        for path in over.entries.keys() {
            let _below = over.has_below(path);
        }
    }
});
