//! What images hold: lists of layers and bases, recorded when they are stored, and the check
//! whether they still are what they were.
//!
//! The list of a layer lies in `listings/`, by the digest that names the layer: the digest of that
//! very list. So neither the layer nor its list can be changed without the other telling. That of a
//! base is made when the first image on it is captured.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::layer::is_digest;
use super::{HOST, Store, listing};
use crate::content::{Base, FileTree, ImageContent, differences, unescape};
use crate::plan;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::{self, MachineError, RootFs};

/// The longest list that is read: a few million paths.
const LONGEST: u64 = 1 << 30;

/// The most paths that a check names of a layer or a base.
const NAMED: usize = 1000;

/// Files by which the packages of a system are known, the first that is there.
const PACKAGES: [&str; 5] = [
    "var/lib/dpkg/status",
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages.db",
    "lib/apk/db/installed",
];

/// What a check of an image's content found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentFinding {
    /// A path is not what it was.
    Path {
        /// The path, [escaped](crate::content::escape).
        path: String,
        /// What differs.
        what: String,
    },
    /// Something of the image is not what it was, but no path can be named.
    Changed {
        /// One sentence.
        what: String,
    },
    /// Something cannot be checked.
    Unknown {
        /// One sentence.
        what: String,
    },
}

impl Store {
    /// What an image from `root` holds, by what is recorded of its layers and its base. `None` when
    /// a layer is older than such records.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or the base cannot be listed.
    pub fn content(&self, root: &RootFs) -> Result<Option<ImageContent>, MachineError> {
        let Some(tree) = self.tree(root)? else { return Ok(None) };
        let base = self.identify_base(&root.base)?;
        Ok(Some(ImageContent { digest: tree.content_digest(&base), base }))
    }

    /// The list of what is seen of an image's layers; `None` when one was not listed.
    ///
    /// # Errors
    ///
    /// When a list cannot be read.
    pub fn tree(&self, root: &RootFs) -> Result<Option<FileTree>, MachineError> {
        let layers = root.layers.iter().map(|layer| self.listing(layer));
        let layers: Option<Vec<_>> = layers.collect::<Result<_, _>>()?;
        Ok(layers.map(|layers| FileTree::over(&layers)))
    }

    /// The first bytes of a regular file as the layers of an image have it; `None` where none has
    /// it, or it is no regular file.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read_file(
        &self,
        root: &RootFs,
        path: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, MachineError> {
        let Some(relative) = unescape(path).map(std::ffi::OsString::from_vec) else {
            return Ok(None);
        };
        for layer in root.layers.iter().rev() {
            let path = self.layer(layer)?.join(&relative);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    let mut bytes = Vec::new();
                    let file = File::open(&path).tried_on("open", &path)?;
                    file.take(limit).read_to_end(&mut bytes).tried_on("read", &path)?;
                    return Ok(Some(bytes));
                }
                Ok(_) => return Ok(None),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Reads all that an image is made of again, and compares it with what was recorded when it was
    /// captured.
    ///
    /// # Errors
    ///
    /// When something cannot be read.
    pub fn check_content(
        &self,
        root: &RootFs,
        recorded: &ImageContent,
    ) -> Result<Vec<ContentFinding>, MachineError> {
        let mut found = Vec::new();
        let mut layers = Vec::new();
        for layer in &root.layers {
            let path = match self.layer(layer) {
                Ok(path) => path,
                Err(MachineError::NotFound { .. }) => {
                    let what = format!("the layer {layer} is not in the store any more");
                    found.push(ContentFinding::Changed { what });
                    continue;
                }
                Err(error) => return Err(error),
            };
            let now = listing::of_directory(&path)?;
            if named(&now) != *layer {
                let before = self.listing(layer)?;
                found.extend(changes(before.filter(|list| named(list) == *layer), &now, layer));
            }
            layers.push(now);
        }
        self.check_base(&root.base, &recorded.base, &mut found)?;
        let digest = FileTree::over(&layers).content_digest(&recorded.base);
        if found.is_empty() && digest != recorded.digest {
            let what = format!(
                "the image was recorded with the content digest {}, and has {digest}",
                recorded.digest
            );
            found.push(ContentFinding::Changed { what });
        }
        Ok(found)
    }

    fn check_base(
        &self,
        name: &str,
        recorded: &Base,
        found: &mut Vec<ContentFinding>,
    ) -> Result<(), MachineError> {
        match recorded {
            Base::Imported { tree, .. } => {
                let path = self.base(name)?.path;
                let now = listing::of_directory(&path)?;
                if now.tree_digest() != *tree {
                    let before = self.read_listing(&self.base_listing(name))?;
                    let before = before.filter(|list| list.tree_digest() == *tree);
                    found.extend(changes(before, &now, &format!("base {name}")));
                }
            }
            Base::Host { system, packages } => {
                let Base::Host { system: now, packages: packages_now } = self.host()? else {
                    return Ok(());
                };
                if *system != now {
                    let what = format!(
                        "the image stands on this machine's own root, which was {system} and is {now}"
                    );
                    found.push(ContentFinding::Changed { what });
                } else if *packages != packages_now {
                    let what = "the image stands on this machine's own root, whose packages have changed since".to_owned();
                    found.push(ContentFinding::Unknown { what });
                }
            }
        }
        Ok(())
    }

    /// What is known of a base; an imported one is listed if that was not done yet.
    fn identify_base(&self, name: &str) -> Result<Base, MachineError> {
        if name == HOST {
            return self.host();
        }
        let listed = self.base_listing(name);
        let tree = match self.read_listing(&listed)? {
            Some(tree) => tree,
            None => {
                let tree = listing::of_directory(&self.base(name)?.path)?;
                self.write_listing(&listed, &tree)?;
                tree
            }
        };
        Ok(Base::Imported { name: name.to_owned(), tree: tree.tree_digest() })
    }

    fn host(&self) -> Result<Base, MachineError> {
        let base = self.base(HOST)?;
        let system = format!("{} {}", base.os_id, base.os_version).trim().to_owned();
        let packages = PACKAGES
            .iter()
            .find_map(|path| fs::read(base.path.join(path)).ok())
            .map(|bytes| plan::Digest::of(&bytes));
        Ok(Base::Host { system, packages })
    }

    /// The list of a layer; `None` when it was stored before there were lists.
    fn listing(&self, layer: &str) -> Result<Option<FileTree>, MachineError> {
        if !is_digest(layer) {
            return Ok(None);
        }
        self.read_listing(&self.layer_listing(layer))
    }

    /// Where the list of a layer is.
    pub(super) fn layer_listing(&self, layer: &str) -> PathBuf {
        self.directory("listings").join(format!("{layer}.json"))
    }

    /// Where the list of a base is.
    pub(super) fn base_listing(&self, name: &str) -> PathBuf {
        self.directory("listings").join(format!("base:{name}.json"))
    }

    fn read_listing(&self, path: &Path) -> Result<Option<FileTree>, MachineError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).tried_on("open", path),
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).tried_on("read", path)?;
        serde_json::from_slice(&text).tried_on("read", path).map(Some)
    }

    /// Removes the list of what is gone. One that stays costs nothing but its place.
    pub(super) fn forget_listing(&self, path: &Path) {
        drop(fs::remove_file(path));
    }

    /// Writes a list, whole or not at all.
    pub(super) fn write_listing(&self, path: &Path, tree: &FileTree) -> Result<(), MachineError> {
        let directory = self.directory("listings");
        let mut file =
            tempfile::NamedTempFile::new_in(&directory).tried_on("make a file in", &directory)?;
        let text = serde_json::to_vec(tree).tried_on("write", path)?;
        file.write_all(&text).tried_on("write", path)?;
        file.persist(path).map_err(|error| error.error).tried_on("write", path)?;
        Ok(())
    }
}

/// The name of a layer with this list.
pub(super) fn named(list: &FileTree) -> machine::Digest {
    format!("sha256:{}", list.layer_digest())
}

/// What has changed in a tree, of which `before` is the list, if there is one.
fn changes(before: Option<FileTree>, now: &FileTree, whose: &str) -> Vec<ContentFinding> {
    let Some(before) = before else {
        let what = format!("no list of the {whose} fits it: which paths have changed is not known");
        return vec![ContentFinding::Changed { what }];
    };
    let differences = differences(&before, now);
    let mut found: Vec<_> = differences
        .iter()
        .take(NAMED)
        .map(|one| ContentFinding::Path {
            path: one.path.to_owned(),
            what: match (one.first, one.second) {
                (_, None) => "is gone".to_owned(),
                (None, _) => "is new".to_owned(),
                _ => format!("has changed: {}", one.what().join(", ")),
            },
        })
        .collect();
    if found.is_empty() {
        // What users do not see: hard links.
        let what = format!("hard links of the {whose} have changed");
        found.push(ContentFinding::Changed { what });
    } else if differences.len() > NAMED {
        let what = format!("{} more paths of the {whose} have changed", differences.len() - NAMED);
        found.push(ContentFinding::Changed { what });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store with a base and an image of one layer on it.
    fn store() -> (tempfile::TempDir, Store, RootFs, ImageContent) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store")).unwrap();
        let base = directory.path().join("base");
        fs::create_dir_all(base.join("bin")).unwrap();
        fs::write(base.join("bin/sh"), "#!").unwrap();
        store.import("b", &base).unwrap();
        let upper = directory.path().join("upper");
        fs::create_dir_all(upper.join("opt")).unwrap();
        fs::write(upper.join("opt/a"), "content").unwrap();
        fs::write(upper.join("opt/b"), "content").unwrap();
        let layer = store.capture(&upper, |_| Ok(())).unwrap();
        let root = RootFs { base: "b".to_owned(), layers: vec![layer] };
        let content = store.content(&root).unwrap().unwrap();
        (directory, store, root, content)
    }

    fn path(path: &str, what: &str) -> ContentFinding {
        ContentFinding::Path { path: path.to_owned(), what: what.to_owned() }
    }

    #[test]
    fn what_was_captured_fits() {
        let (_directory, store, root, content) = store();
        assert_eq!(store.check_content(&root, &content).unwrap(), []);
        assert_eq!(store.content(&root).unwrap(), Some(content));
        assert_eq!(store.read_file(&root, "opt/a", 4).unwrap().unwrap(), b"cont");
        assert_eq!(store.read_file(&root, "opt", 4).unwrap(), None);
        assert_eq!(store.read_file(&root, "opt/c", 4).unwrap(), None);
    }

    #[test]
    fn a_flipped_byte_is_found_and_named() {
        let (_directory, store, root, content) = store();
        let layer = store.layer(&root.layers[0]).unwrap();
        fs::write(layer.join("opt/a"), "c0ntent").unwrap();
        fs::remove_file(layer.join("opt/b")).unwrap();
        fs::write(layer.join("opt/c"), "").unwrap();
        fs::write(store.base("b").unwrap().path.join("bin/sh"), "#?").unwrap();
        assert_eq!(
            store.check_content(&root, &content).unwrap(),
            [
                path("opt/a", "has changed: bytes"),
                path("opt/b", "is gone"),
                path("opt/c", "is new"),
                path("bin/sh", "has changed: bytes"),
            ]
        );
    }

    #[test]
    fn a_list_that_was_changed_with_its_layer_is_not_believed() {
        let (_directory, store, root, content) = store();
        let layer = store.layer(&root.layers[0]).unwrap();
        fs::write(layer.join("opt/a"), "c0ntent").unwrap();
        let forged = listing::of_directory(&layer).unwrap();
        store.write_listing(&store.layer_listing(&root.layers[0]), &forged).unwrap();
        let found = store.check_content(&root, &content).unwrap();
        assert!(matches!(found.as_slice(), [ContentFinding::Changed { .. }]), "{found:?}");
        fs::remove_dir_all(&layer).unwrap();
        let found = store.check_content(&root, &content).unwrap();
        assert!(matches!(found.as_slice(), [ContentFinding::Changed { .. }]), "{found:?}");
    }

    #[test]
    fn an_image_whose_layers_were_exchanged_is_noticed() {
        let (directory, store, root, content) = store();
        let upper = directory.path().join("upper");
        fs::write(upper.join("opt/a"), "other").unwrap();
        let layers = vec![store.capture(&upper, |_| Ok(())).unwrap()];
        let found = store.check_content(&RootFs { layers, ..root }, &content).unwrap();
        assert!(matches!(found.as_slice(), [ContentFinding::Changed { .. }]), "{found:?}");
    }

    #[test]
    fn lists_go_with_what_they_are_of() {
        let (_directory, store, root, _) = store();
        let details = serde_json::Value::Null;
        let record = super::super::ImageRecord { id: "ami-1".to_owned(), root, details };
        store.save_image(&record).unwrap();
        let lists = || fs::read_dir(store.root().join("listings")).unwrap().count();
        assert_eq!(lists(), 2);
        store.remove_image("ami-1").unwrap();
        assert_eq!(lists(), 1);
        store.remove_base("b").unwrap();
        assert_eq!(lists(), 0);
    }
}
