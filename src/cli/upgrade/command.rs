//! What `bake upgrade` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::Exit;
use crate::cli::arguments::UpgradeArguments;
use crate::cli::inputs::{schema, working_directory};
use crate::cli::outcome::{print, report, warn};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Source};
use crate::render::Mask;
use crate::template::function::clean_path;
use crate::template::syntax::Dialect;
use crate::template::upgrade::{Manner, Upgraded, upgrade};
use crate::template::{self, Loaded, json, read_source};

use super::proof::{Difference, Proof, prove};

/// Writes a legacy template in HCL and compares the hashes of its builds.
pub(in crate::cli) fn run(arguments: &UpgradeArguments) -> Exit {
    let mask = Mask::default();
    match written(arguments) {
        Ok((legacy, upgraded, target)) => {
            let mut failed = upgraded.found.has_errors();
            report(&upgraded.found, &mask);
            let say = Say { target: &target, mask: &mask };
            say.written();
            let after = target.read_back(&upgraded.text);
            match prove(&legacy, after, &upgraded.renamed, &arguments.template, &mask) {
                Ok(proof) => failed |= say.proof(proof),
                Err(found) => {
                    report(&found, &mask);
                    failed = true;
                }
            }
            if failed { Exit::Failed } else { Exit::Done }
        }
        Err(found) => {
            report(&found, &mask);
            Exit::Failed
        }
    }
}

/// Reads, upgrades and writes.
fn written(arguments: &UpgradeArguments) -> Result<(Loaded, Upgraded, Target), Diagnostics> {
    let path = &arguments.template.template;
    let legacy = template::load(path)?;
    if legacy.template.dialect != Dialect::Legacy {
        return Err(Diagnostic::error(
            "not-legacy",
            format!("`{}` is HCL already", path.display()),
        )
        .help("`bake upgrade` is for legacy JSON templates, with `builders`")
        .into());
    }
    let root = json::parse(
        &read_source(path)?,
        json::ParseOptions { duplicates: json::Duplicates::Refuse },
    )?;
    let target = Target::of(arguments, &legacy);
    let manner = Manner {
        annotations: arguments.with_annotations,
        directory: relative(
            &working_directory()?.join(&target.root),
            &working_directory()?.join(&legacy.template.root),
        ),
    };
    let upgraded = upgrade(&legacy.template, &root, &schema, &manner).map_err(|found| {
        let mut all: Diagnostics = Diagnostic::error(
            "internal",
            "what was written is no HCL: this is a fault of bake, please report it",
        )
        .into();
        all.extend(found);
        all
    })?;
    target.write(&upgraded.text)?;
    Ok((legacy, upgraded, target))
}

/// The way from one directory to another, both absolute; empty when they are the same.
fn relative(from: &Path, to: &Path) -> String {
    let parts = |path: &Path| {
        let path = clean_path(path);
        path.components().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>()
    };
    let (from, to) = (parts(from), parts(to));
    let same = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from.iter().skip(same).map(|_| "..".to_owned());
    let down = to.iter().skip(same).map(|part| part.to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Where the HCL goes.
struct Target {
    /// `None` is standard output.
    file: Option<PathBuf>,
    /// `path.root` of the HCL.
    root: PathBuf,
}

impl Target {
    fn of(arguments: &UpgradeArguments, legacy: &Loaded) -> Self {
        let file = match &arguments.output_file {
            Some(file) if file.as_os_str() == "-" => None,
            Some(file) => Some(file.clone()),
            None => {
                let mut name = arguments.template.template.clone().into_os_string();
                name.push(".pkr.hcl");
                Some(name.into())
            }
        };
        let root = match &file {
            Some(file) => match file.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            None => legacy.template.root.clone(),
        };
        Self { file, root }
    }

    fn write(&self, text: &str) -> Result<(), Diagnostics> {
        let Some(file) = &self.file else {
            print(text);
            return Ok(());
        };
        std::fs::create_dir_all(&self.root).and_then(|()| std::fs::write(file, text)).map_err(
            |error| {
                Diagnostic::error(
                    "unwritable",
                    format!("cannot write `{}`: {error}", file.display()),
                )
                .help("name another file by `-output-file`")
                .into()
            },
        )
    }

    /// What the written template says.
    fn read_back(&self, text: &str) -> Result<Loaded, Diagnostics> {
        let source: Arc<Source> = match &self.file {
            Some(file) => read_source(file)?,
            None => Source::new("<standard output>", text),
        };
        template::load_hcl(&source, &self.root)
    }

    fn name(&self) -> String {
        self.file.as_deref().unwrap_or(Path::new("the upgraded template")).display().to_string()
    }
}

/// What people are told. When standard output is the template, it goes to standard error.
struct Say<'a> {
    target: &'a Target,
    mask: &'a Mask,
}

impl Say<'_> {
    fn text(&self, text: &str) {
        let text = self.mask.apply(text);
        if self.target.file.is_some() { print(&text) } else { warn(&text) }
    }

    fn written(&self) {
        if self.target.file.is_some() {
            self.text(&format!("Wrote {}\n", self.target.name()));
        }
    }

    /// Says what was found out; whether that is a failure.
    fn proof(&self, proof: Proof) -> bool {
        match proof {
            Proof::Equal(builds) => {
                self.text(match builds.len() {
                    1 => "The template hash is the same before and after:\n",
                    _ => "The template hash of each build is the same before and after:\n",
                });
                for (name, hash) in builds {
                    self.text(&format!("  {hash}  {name}\n"));
                }
                false
            }
            Proof::Differs(builds) => {
                report(&different(&builds, &self.target.name()), self.mask);
                true
            }
            Proof::Broken(mut found) => {
                found.push(
                    Diagnostic::error(
                        "not-equal",
                        "the JSON template can be planned, and the upgraded one cannot",
                    )
                    .help("put the upgraded file right by hand, then compare `bake hash` of both"),
                );
                report(&found, self.mask);
                true
            }
            Proof::Unknown(reasons) => {
                let reasons: Diagnostics =
                    reasons.into_iter().filter(|one| one.severity == Severity::Error).collect();
                let missing: Vec<_> = reasons
                    .iter()
                    .filter(|one| one.code == "missing-variable")
                    .filter_map(|one| one.primary.as_ref())
                    .map(|label| format!("-var {}=…", label.span.text().trim_matches('"')))
                    .collect();
                let mut warning = Diagnostic::warning(
                    "not-compared",
                    "the template hashes are not compared: the JSON template itself cannot be \
                     planned, for the reasons above",
                );
                if !missing.is_empty() {
                    warning = warning.help(format!("give {} to compare them", missing.join(" ")));
                }
                let warnings = reasons
                    .into_iter()
                    .map(|one| Diagnostic { severity: Severity::Warning, ..one });
                report(&warnings.chain([warning]).collect(), self.mask);
                false
            }
        }
    }
}

fn different(builds: &[Difference], name: &str) -> Diagnostics {
    builds
        .iter()
        .map(|build| {
            let hash = |hash: &Option<crate::plan::Digest>| {
                hash.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
            };
            let mut finding = Diagnostic::error(
                "not-equal",
                format!("the template hash of `{}` is another one in `{name}`", build.name),
            )
            .note(format!("before: {}", hash(&build.before)))
            .note(format!("after:  {}", hash(&build.after)));
            for line in &build.what {
                finding = finding.note(line.clone());
            }
            finding.help("put the upgraded file right by hand, then compare `bake hash` of both")
        })
        .collect()
}
