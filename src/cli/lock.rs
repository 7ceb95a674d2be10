//! `bake lock`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::aws::OwnCloud;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::lookup::{Met, PinnedLookUp, Round};
use crate::plan::lock::{Change, Lock, Pin, Pinned, Pins, Scope, beside};
use crate::render::Mask;
use crate::template::lookup::{Answer, Answers};
use crate::value::to_json;

use super::arguments::{LockArguments, SandboxBehaviour, TemplateArguments};
use super::inputs::{Inputs, Prepared};
use super::outcome::{complain, failed, print, refused, report};
use super::{Exit, runtime, sandbox};

/// What is to be pinned.
struct Locking {
    inputs: Inputs,
    file: PathBuf,
    pins: Pins,
    again: Scope,
    /// Whether all builds are looked at.
    whole: bool,
}

/// Looks up what a template asks for, and writes it beside the template. Pins that fit stay.
pub(super) fn run(arguments: LockArguments, mask: &Mask) -> Exit {
    let in_sandbox = arguments.sandbox;
    let Some((template, again, behaviour)) = arguments.meant() else {
        complain("error: name the template whose look-ups are to be pinned");
        return Exit::Usage;
    };
    let (locking, first) = match read(&template, again, in_sandbox, mask) {
        Ok(read) => read,
        Err(found) => return refused(&found, mask),
    };
    runtime::run(async {
        if in_sandbox {
            return locking.run_in_sandbox(first, &behaviour, mask).await;
        }
        locking.run(first, None, mask).await
    })
}

/// Reads the template and its lock; what is wrong without anybody being asked is said before.
fn read(
    arguments: &TemplateArguments,
    again: Scope,
    in_sandbox: bool,
    mask: &Mask,
) -> Result<(Locking, Round<Prepared>), Diagnostics> {
    let template = &arguments.template;
    let Some(file) = beside(template) else {
        let summary = "a template from standard input has no place for a lock";
        return Err(Diagnostic::error("no-lock", summary).help("name a file").into());
    };
    let inputs = Inputs::read(arguments, true, mask)?;
    let pins = Pins::of_template(template, false, in_sandbox)?;
    let first = inputs.evaluate(&Answers::default(), mask);
    if first.is_final()
        && let Err(found) = first.result
    {
        return Err(found);
    }
    let whole = arguments.builds.are_all();
    Ok((Locking { inputs, file, pins, again, whole }, first))
}

impl Locking {
    async fn run_in_sandbox(
        &self,
        first: Round<Prepared>,
        behaviour: &SandboxBehaviour,
        mask: &Mask,
    ) -> Exit {
        let (cloud, own) = match sandbox::start_own(behaviour).await {
            Ok(started) => started,
            Err(error) => return failed(&*error),
        };
        let exit = self.run(first, Some(&own), mask).await;
        cloud.stop().await;
        exit
    }

    async fn run(&self, first: Round<Prepared>, cloud: Option<&OwnCloud>, mask: &Mask) -> Exit {
        match self.lock(first, cloud, mask).await {
            Ok(text) => {
                print(&text);
                Exit::Done
            }
            Err(found) => refused(&found, mask),
        }
    }

    /// Looks everything up and writes the file; says what has changed.
    async fn lock(
        &self,
        first: Round<Prepared>,
        cloud: Option<&OwnCloud>,
        mask: &Mask,
    ) -> Result<String, Diagnostics> {
        let resolver = self.inputs.resolver(cloud.cloned());
        let looking = PinnedLookUp::new(&resolver, &self.pins, self.again.clone());
        let prepared = self.inputs.settle(first, &looking, mask).await?;
        report(&prepared.warnings, mask);
        report(&prepared.unsupported().as_warnings(), mask);
        let met = looking.met();
        let searches = self.inputs.searches(&prepared.plans, cloud)?;
        let names = met.iter().map(|met| met.lookup.name());
        self.check_name(names.chain(searches.iter().map(|one| one.build().to_owned())))?;
        let none = self.pins.without_lock();
        let looked = searches.iter().map(|search| {
            let pins = if self.again.holds(search.build()) { &none } else { &self.pins };
            search.pin(pins)
        });
        let mut found = Diagnostics::new();
        let mut now = Vec::new();
        for pin in futures::future::join_all(looked).await {
            now.extend(found.take(pin.map_err(Diagnostics::from)).flatten());
        }
        found.into_result(())?;
        let mut unpinned = Diagnostics::new();
        for met in &met {
            match pin_of(met, self.pins.template(), mask) {
                Ok(pin) => now.push(pin),
                Err(finding) => unpinned.push(finding),
            }
        }
        report(&unpinned, mask);
        let (lock, changes) = self.pins.lock().renewed(self.pins.template(), self.whole, now);
        if !self.pins.exist() || !changes.is_empty() {
            write(&self.file, &lock.write()).map_err(|error| {
                let summary = format!("cannot write `{}`: {error}", self.file.display());
                Diagnostic::error("unwritable", summary).help("may you write in its directory?")
            })?;
        }
        Ok(told(&self.file, &lock, &changes))
    }

    /// Whether `-update` names something.
    fn check_name(&self, names: impl Iterator<Item = String>) -> Result<(), Diagnostics> {
        let Scope::Named(wanted) = &self.again else { return Ok(()) };
        let lock = self.pins.lock();
        let own = lock.pins().iter().filter(|pin| pin.template == self.pins.template());
        let known: BTreeSet<_> = names.chain(own.map(|pin| pin.name.clone())).collect();
        if known.iter().any(|name| self.again.holds(name)) {
            return Ok(());
        }
        let finding =
            Diagnostic::error("unknown-pin", format!("nothing is looked up as `{wanted}`"));
        let hint = did_you_mean(wanted, known.iter().map(String::as_str)).or_else(|| {
            let all: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            (!all.is_empty()).then(|| format!("there is {}", all.join(", ")))
        });
        Err(finding.maybe_help(hint).into())
    }
}

/// The pin of a look-up, unless it would tell a secret.
fn pin_of(met: &Met, template: &str, mask: &Mask) -> Result<Pin, Diagnostic> {
    let pin = met.to_pin(template).and_then(|pin| {
        // Versions of secrets are told in public, and what stands for public parameters, too.
        let is_open =
            matches!(pin.answer, Pinned::Version(_) | Pinned::Value { identity: Some(_), .. });
        let Answer::Found { value, .. } = &met.answer else { return Ok(pin) };
        // A digest of a secret tells it to whoever can guess.
        let body = to_json(value).and_then(|answer| answer.get("body").cloned());
        let told =
            format!("{}\n{}", Lock::new(vec![pin.clone()]).write(), body.unwrap_or_default());
        if is_open || mask.apply(&told) == told { Ok(pin) } else { Err("there is a secret in it") }
    });
    pin.map_err(|why| {
        let summary = format!("`{}` is not pinned: {why}", met.lookup.name());
        Diagnostic::warning("not-pinned", summary).at(&met.lookup.span, "looked up in each build")
    })
}

/// Replaces the file as a whole; a new one may be read like any other.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // Where it is a link, what it leads to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let permissions = match path.metadata() {
        Ok(metadata) => Some(metadata.permissions()),
        Err(_) => None,
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".bake-lock-")
        // The umask takes away what others may not.
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// What has changed, a line for each pin, and a summary.
fn told(file: &Path, lock: &Lock, changes: &[Change]) -> String {
    let name = |pin: &Pin| match &pin.place {
        Some(place) => format!("{} in {place}", pin.name),
        None => pin.name.clone(),
    };
    let mut text = String::new();
    let (mut new, mut changed, mut dropped) = (0, 0, 0);
    for change in changes {
        text += &match change {
            Change::New(pin) => {
                new += 1;
                format!("+ {}: {}\n", name(pin), pin.answer)
            }
            Change::Changed { old, new } if old.answer == new.answer => {
                changed += 1;
                format!("~ {}: {} (asked in another way)\n", name(new), new.answer)
            }
            Change::Changed { old, new } => {
                changed += 1;
                format!("~ {}: {} (was {})\n", name(new), new.answer, old.answer)
            }
            Change::Dropped(pin) => {
                dropped += 1;
                format!("- {}\n", name(pin))
            }
        };
    }
    let (file, all) = (file.display(), lock.pins().len());
    let same = all.saturating_sub(new + changed);
    text + &format!("{file}: {new} new, {changed} changed, {dropped} dropped, {same} as before\n")
}
