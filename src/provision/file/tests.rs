//! File steps from the template to what is uploaded.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Download, DownloadReport, Exit, Upload,
    UploadReport,
};
use crate::event::Fact;
use crate::plan::Entry;
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, plan_steps, run_all, said};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dist")).unwrap();
    fs::write(folder.path().join("dist/index"), "index").unwrap();
    fs::write(folder.path().join("one"), "one").unwrap();
    folder
}

/// What a step uploads: source name, whether only contents, number of files, destination.
async fn uploads(body: &str) -> Vec<(String, bool, usize, String)> {
    let folder = folder();
    let text = format!("provisioner \"file\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let local = Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    let uploads = local.uploads.lock().unwrap();
    let ends = |fact: &&Fact| matches!(fact, Fact::UploadEnded { .. });
    assert_eq!(told.iter().filter(ends).count(), uploads.len());
    uploads
        .iter()
        .map(|one| (one.name.clone(), one.contents_only, one.tree.files(), one.destination.clone()))
        .collect()
}

#[tokio::test]
async fn sources_come_in_order_with_packers_slashes() {
    let body = "sources = [\"dist/\", \"dist\", \".\"]\nsource = \"one\"\ndestination = \"/tmp/x\"";
    let to = || "/tmp/x".to_owned();
    assert_eq!(
        uploads(body).await,
        [
            ("dist".to_owned(), true, 1, to()),
            ("dist".to_owned(), false, 1, to()),
            (String::new(), true, 3, to()),
            ("one".to_owned(), false, 1, to()),
        ]
    );
}

#[tokio::test]
async fn content_becomes_a_file_that_others_may_read() {
    let folder = folder();
    let text =
        "provisioner \"file\" {\n content = \"to ${build.Host}\"\n destination = \"/etc/x\"\n}";
    let plan = plan_steps(folder.path(), text).unwrap();
    let local = Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    assert_eq!(said(&told), ["Uploading content => /etc/x"]);
    let upload = local.uploads.lock().unwrap().remove(0);
    match upload.tree.single_file() {
        Some(Entry::File { mode: 0o644, size: 15, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Without text it is an empty file, not nothing.
    assert_eq!(self::uploads("content = \"\"\ndestination = \"/x\"").await.len(), 1);
}

#[tokio::test]
async fn what_a_build_makes_is_read_when_it_is_there() {
    let folder = folder();
    let made = folder.path().join("made");
    let text = format!(
        "provisioner \"file\" {{\n source = \"{}\"\n destination = \"/x\"\n generated = true\n}}",
        made.display()
    );
    let plan = plan_steps(folder.path(), &text).unwrap();
    let local = Local::default();
    let (result, _) = run_all(&plan, &local, &CancellationToken::new()).await;
    assert!(matches!(result, Err(ProvisionError::Read(_))));
    fs::write(&made, "made").unwrap();
    run_all(&plan, &local, &CancellationToken::new()).await.0.unwrap();
    assert_eq!(local.uploads.lock().unwrap()[0].tree.size(), 4);
    assert!(!plan.is_repeatable(), "nobody knows what will be uploaded");
}

/// Says what was asked of it.
#[derive(Default)]
struct Fetching(Mutex<Vec<Download>>);

impl Communicator for Fetching {
    fn exec<'a>(
        &'a self,
        _command: Command,
        _output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async { panic!("a download needs no commands") }.boxed()
    }

    fn upload<'a>(
        &'a self,
        _upload: &'a Upload,
        _progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async { panic!("a download uploads nothing") }.boxed()
    }

    fn download<'a>(
        &'a self,
        download: &'a Download,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<DownloadReport, CommunicatorError>> {
        async move {
            progress(7);
            self.0.lock().unwrap().push(download.clone());
            Ok(DownloadReport { bytes: 7, files: 2 })
        }
        .boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

/// What a download step fetches: source, destination, whether that is a directory; and its hash.
async fn downloads(body: &str) -> (Vec<(String, String, bool)>, String) {
    let folder = folder();
    let text = format!("provisioner \"file\" {{\n direction = \"download\"\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let fetching = Fetching::default();
    let (result, told) = run_all(&plan, &fetching, &CancellationToken::new()).await;
    result.unwrap();
    let asked = fetching.0.into_inner().unwrap();
    let ends = |fact: &&Fact| matches!(fact, Fact::DownloadEnded { bytes: 7, files: 2, .. });
    assert_eq!(told.iter().filter(ends).count(), asked.len());
    let asked = asked
        .into_iter()
        .map(|one| (one.source, one.destination.display().to_string(), one.into_directory));
    (asked.collect(), crate::plan::identity::template_hash(&plan).hex())
}

#[tokio::test]
async fn downloads_take_all_sources_in_order() {
    let one = |source: &str, to: &str, into| (source.to_owned(), to.to_owned(), into);
    let (asked, hash) = downloads("source = \"/etc/os-release\"\ndestination = \"here\"").await;
    assert_eq!(asked, [one("/etc/os-release", "here", false)]);
    let (asked, other) = downloads("source = \"/etc/os-release\"\ndestination = \"x/\"").await;
    assert_eq!(asked, [one("/etc/os-release", "x/", true)]);
    assert_eq!(hash, other, "where it goes here is not part of the image");
    let body = "sources = [\"/var/log/\", \"/tmp/*.xml\"]\nsource = \"x\"\ndestination = \"d\"";
    assert_eq!(
        downloads(body).await.0,
        [one("/var/log/", "d", true), one("/tmp/*.xml", "d", true), one("x", "d", true)]
    );
}

#[tokio::test]
async fn files_are_left_out_and_get_the_modes_that_are_asked_for() {
    let folder = folder();
    fs::write(folder.path().join("dist/.bakeignore"), "*.log\n").unwrap();
    fs::write(folder.path().join("dist/a.log"), "a").unwrap();
    fs::create_dir(folder.path().join("dist/tmp")).unwrap();
    fs::write(folder.path().join("dist/tmp/x"), "x").unwrap();
    std::os::unix::fs::symlink("index", folder.path().join("dist/link")).unwrap();
    let text = |more: &str| {
        format!("provisioner \"file\" {{\n source = \"dist/\"\n destination = \"/x\"\n{more}\n}}")
    };
    let plan = |more: &str| plan_steps(folder.path(), &text(more)).unwrap();
    let all =
        "exclude = [\"/tmp/\"]\nmode = \"0640\"\ndirectory_mode = \"750\"\nsymlinks = \"follow\"";
    let local = Local::default();
    run_all(&plan(all), &local, &CancellationToken::new()).await.0.unwrap();
    let tree = local.uploads.lock().unwrap().remove(0).tree;
    let modes: Vec<_> = tree
        .entries
        .iter()
        .map(|(path, entry)| match entry {
            Entry::File { mode, .. } => format!("{path} {mode:o}"),
            Entry::Directory { mode } => format!("{path}/ {mode:o}"),
            Entry::Symlink { target } => format!("{path} -> {target}"),
        })
        .collect();
    assert_eq!(modes, ["/ 750", "index 640", "link 640"]);

    // What is left out is not hashed, and what is asked for is.
    let hash = |more: &str| crate::plan::identity::template_hash(&plan(more));
    let before = hash("");
    fs::write(folder.path().join("dist/a.log"), "other").unwrap();
    assert_eq!(hash(""), before);
    let others = ["mode = \"0600\"", "owner = \"app\"", "group = \"app\"", "exclude = [\"tmp\"]"];
    for other in others {
        assert_ne!(hash(other), before, "{other}");
    }
}

#[tokio::test]
async fn what_is_uploaded_is_given_to_its_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = folder();
    let there = folder.path().join("there");
    fs::create_dir_all(there.join("dist")).unwrap();
    // The upload that the communicator only notes.
    fs::write(there.join("dist/index"), "index").unwrap();
    fs::write(there.join("dist/kept"), "kept").unwrap();
    fs::write(there.join("one"), "one").unwrap();
    let step = |source: &str, to: &str| {
        format!(
            "provisioner \"file\" {{\n source = \"{source}\"\n destination = \"{}/{to}\"\n owner = \"1234\"\n group = \"5678\"\n}}\n",
            there.display()
        )
    };
    let text = [step("dist", ""), step("one", "")].concat();
    let plan = plan_steps(folder.path(), &text).unwrap();
    run_all(&plan, &Local::default(), &CancellationToken::new()).await.0.unwrap();
    let owner = |path: &str| {
        let metadata = fs::metadata(there.join(path)).unwrap();
        (metadata.uid(), metadata.gid())
    };
    assert_eq!([owner("dist"), owner("dist/index"), owner("one")], [(1234, 5678); 3]);
    assert_eq!([owner(""), owner("dist/kept")], [(0, 0); 2], "not ours");

    let text = step("one", "").replace("1234", "nobody-at-all");
    let plan = plan_steps(folder.path(), &text).unwrap();
    let error = run_all(&plan, &Local::default(), &CancellationToken::new()).await.0.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("it arrived and cannot be given to `nobody-at-all:5678`"), "{text}");
    assert!(error.hints().iter().any(|hint| hint.contains("sudo")), "{:?}", error.hints());
}

fn refused(body: &str) -> String {
    let folder = folder();
    plan_steps(folder.path(), &format!("provisioner \"file\" {{\n{body}\n}}")).unwrap_err()
}

#[test]
fn wrong_combinations_are_found_before_anything_runs() {
    let all = [
        "destination = \"/x\"",
        "source = \"one\"",
        "source = \"gone\"\ndestination = \"/x\"",
        "source = \"one\"\ncontent = \"x\"\ndestination = \"/x\"",
        "content = \"x\"\ndestination = \"/x/\"",
        "source = \"one\"\ndestination = \"\"",
        "content = \"x\"\nmode = \"0600\"\ndestination = \"x\"\ndirection = \"download\"",
        "source = \"one\"\ndestination = \"x\"\nmode = \"rw\"\nsymlinks = \"keeep\"",
        "source = \"one\"\ndestination = \"x\"\ndirectory_mode = \"2755\"\nowner = \"a:b\"",
        "source = \"dist\"\ndestination = \"x\"\nexclude = [\"a[\"]",
        "source = \"one\"\ndestination = \"x\"\ndirection = \"up\"",
    ];
    insta::assert_snapshot!(all.map(refused).join("\n\n"), @r#"
    error[what-to-upload]: a `file` provisioner needs one of `source`, `sources` and `content`
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "file" {
      | ^^^^^^^^^^^^^^^^^^



    error[missing-option]: `destination` is required
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "file" {
      | ^^^^^^^^^^^^^^^^^^ `destination` is not given



    error[missing-source]: cannot read `gone`: No such file or directory (os error 2)
     --> template.pkr.hcl:5:10
      |
    5 | source = "gone"
      |          ^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
      = help: if a step of this build makes it, set `generated = true`



    error[what-to-upload]: `content` excludes `source` and `sources`
     --> template.pkr.hcl:6:11
      |
    6 | content = "x"
      |           ^^^



    error[what-to-upload]: `content` has no name of its own
     --> template.pkr.hcl:6:15
      |
    6 | destination = "/x/"
      |               ^^^^^
      |
      = help: write the whole path of the file, without a `/` at its end



    error[wrong-value]: `destination` is empty
     --> template.pkr.hcl:6:15
      |
    6 | destination = ""
      |               ^^



    error[what-to-download]: a download needs one of `source` and `sources`
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "file" {
      | ^^^^^^^^^^^^^^^^^^

    error[what-to-download]: `content` is for uploads only
     --> template.pkr.hcl:5:11
      |
    5 | content = "x"
      |           ^^^

    error[what-to-download]: `mode` is for uploads only
     --> template.pkr.hcl:6:8
      |
    6 | mode = "0600"
      |        ^^^^^^



    error[wrong-option]: `symlinks` cannot be `keeep`
     --> template.pkr.hcl:8:12
      |
    8 | symlinks = "keeep"
      |            ^^^^^^^
      |
      = help: did you mean `keep`?

    error[wrong-mode]: `rw` is not a mode in octal, such as `0644`
     --> template.pkr.hcl:7:8
      |
    7 | mode = "rw"
      |        ^^^^



    error[wrong-mode]: `2755` has more than permission bits: set those in a shell provisioner, after the owner
     --> template.pkr.hcl:7:18
      |
    7 | directory_mode = "2755"
      |                  ^^^^^^

    error[wrong-value]: `a:b` is no name or number
     --> template.pkr.hcl:8:9
      |
    8 | owner = "a:b"
      |         ^^^^^
      |
      = help: `owner` and `group` are two options



    error[wrong-pattern]: cannot understand a pattern in `exclude`: error parsing glob 'a[': unclosed character class; missing ']'
     --> template.pkr.hcl:7:11
      |
    7 | exclude = ["a["]
      |           ^^^^^^



    error[wrong-value]: there is no direction `up`
     --> template.pkr.hcl:7:13
      |
    7 | direction = "up"
      |             ^^^^
      |
      = help: write `upload` or `download`
    "#);
}

#[test]
fn the_hash_knows_names_only_where_they_count() {
    let hash = |source: &str, destination: &str| {
        let folder = folder();
        fs::copy(folder.path().join("one"), folder.path().join("two")).unwrap();
        let text = format!(
            "provisioner \"file\" {{\n source = \"{source}\"\n destination = \"{destination}\"\n}}"
        );
        crate::plan::identity::template_hash(&plan_steps(folder.path(), &text).unwrap())
    };
    assert_eq!(hash("one", "/x"), hash("two", "/x"));
    assert_ne!(hash("one", "/x/"), hash("two", "/x/"));
    assert_ne!(hash("dist", "/x"), hash("dist/", "/x"));
    assert_eq!(hash("dist/", "/x"), hash("./dist/", "/x"));
}
