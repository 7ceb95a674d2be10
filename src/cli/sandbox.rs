//! `bake sandbox`.

use std::path::Path;
use std::sync::Arc;

use crate::aws::OwnCloud;
use crate::build::builder::amazon_ebs::IMAGE_HASH;
use crate::render::short;
use crate::sandbox::cloud::Image;
use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::userland::UserlandHost;
use crate::sandbox::service::{Options, Sandbox};
use crate::sandbox::store::Store;
use crate::template::schema::Secret;

use super::arguments::{SandboxArguments, SandboxBehaviour, SandboxCommand, ServeArguments};
use super::outcome::{failed, print};
use super::signals::Signals;
use super::table::table;
use super::{Exit, runtime};

/// Runs one of the sandbox's commands.
pub(super) fn run(arguments: &SandboxArguments) -> Exit {
    let done = match &arguments.command {
        SandboxCommand::Serve(arguments) => return serve(arguments),
        SandboxCommand::Images => images(),
        SandboxCommand::Rm { names } => remove(names),
        SandboxCommand::Import { name, from } => import(name, from),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => failed(&error),
    }
}

/// A sandbox over the user's store. With an `access_key`, only who knows it is answered.
async fn start(
    bind: std::net::SocketAddr,
    access_key: Option<String>,
    behaviour: &SandboxBehaviour,
) -> Result<Sandbox, Box<dyn std::error::Error + Send + Sync>> {
    let store = Store::open(Store::default_root())?;
    let host = UserlandHost::new(store.clone())?;
    let options = Options {
        bind,
        access_key,
        latency: behaviour.latency.clone().unwrap_or_default(),
        faults: behaviour.faults.clone(),
    };
    Ok(Sandbox::start(options, Arc::new(host), store).await?)
}

/// A sandbox of this process alone, and the way to it. Other users of this machine can reach its port
/// too, and may not run commands as this one: it has a secret access key.
pub(super) async fn start_own(
    behaviour: &SandboxBehaviour,
) -> Result<(Sandbox, OwnCloud), Box<dyn std::error::Error + Send + Sync>> {
    let access_key = uuid::Uuid::new_v4().simple().to_string();
    let bind = ([127, 0, 0, 1], 0).into();
    let sandbox = start(bind, Some(access_key.clone()), behaviour).await?;
    let own = OwnCloud { url: sandbox.endpoint_url(), access_key: Secret::new(access_key) };
    Ok((sandbox, own))
}

fn serve(arguments: &ServeArguments) -> Exit {
    runtime::run(async {
        let mut signals = match Signals::take() {
            Ok(signals) => signals,
            Err(error) => return failed(&error),
        };
        let sandbox = match start(arguments.listen, None, &arguments.behaviour).await {
            Ok(sandbox) => sandbox,
            Err(error) => return failed(&*error),
        };
        let url = sandbox.endpoint_url();
        print(&format!(
            "The sandbox listens on {url} until it is interrupted. For other clients:\n\n\
             export AWS_ENDPOINT_URL={url}\n\
             export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n\
             export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox\n"
        ));
        signals.next().await;
        sandbox.stop().await;
        Exit::Done
    })
}

fn images() -> Result<(), MachineError> {
    let store = Store::open(Store::default_root())?;
    let mut rows = vec![["IMAGE", "NAME", "AGE", "HASH", "BASE"].map(str::to_owned)];
    let mut images: Vec<_> =
        store.images()?.into_iter().filter_map(|record| Image::from_record(record).ok()).collect();
    images.sort_by_key(|image| image.created);
    let now = jiff::Timestamp::now();
    for image in images {
        let age = now.duration_since(image.created).unsigned_abs();
        let hash = image.tags.get(IMAGE_HASH).map_or("-", |hash| hash.get(..12).unwrap_or(hash));
        let base = image.root.as_ref().map_or("-", |root| root.base.as_str());
        rows.push([
            image.id.clone(),
            image.name.clone(),
            short(age),
            hash.to_owned(),
            base.to_owned(),
        ]);
    }
    print(&table(&rows));
    Ok(())
}

fn remove(names: &[String]) -> Result<(), MachineError> {
    let store = Store::open(Store::default_root())?;
    for name in names {
        let named = |image: &Image| image.id == *name || image.name == *name;
        let found = store
            .images()?
            .into_iter()
            .filter_map(|record| Image::from_record(record).ok())
            .find(named);
        match found {
            Some(image) => {
                store.remove_image(&image.id)?;
                print(&format!("Removed image {} ({})\n", image.id, image.name));
            }
            None => {
                store.remove_base(name)?;
                print(&format!("Removed base {name}\n"));
            }
        }
    }
    Ok(())
}

fn import(name: &str, from: &Path) -> Result<(), MachineError> {
    let store = Store::open(Store::default_root())?;
    let base = store.import(name, from)?;
    let system = if base.os_name.is_empty() { "no os-release" } else { &base.os_name };
    print(&format!("Imported base {} ({system})\n", base.name));
    Ok(())
}
