//! `null`: makes nothing; provisioners run on a machine that is there already.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Builder, PreparedBuild};
use crate::aws::time::seconds;
use crate::build::conclusion::conclude;
use crate::build::connection_data::{Reached, add_connection};
use crate::build::machine::hang_up;
use crate::build::step::step;
use crate::build::{BuildContext, BuildError, BuildOutcome, Places, RunSettings, Way};
use crate::communicator::{CommunicatorOptions, SshSettings, WinRmSettings};
use crate::diagnostic::Diagnostics;
use crate::event::{Artifact, Step};
use crate::plan::{BUILD_LATER, ComponentKind, Plan, Planner};
use crate::template::schema::BuildData;
use crate::value::Value;

crate::options! {
    /// Options of the `null` builder: a machine to run provisioners on.
    pub struct NullOptions {
        /// How to reach the machine.
        flat communicator: CommunicatorOptions,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "null", schema: NullOptions::schema, plan },
    prepare: Some(prepare),
};

fn plan(planner: &mut Planner<'_>) {
    let decoded = planner.decode(NullOptions::schema(), NullOptions::decode_options);
    let Some(NullOptions { communicator }) = decoded else { return };
    planner.refuse_late(&[], BUILD_LATER);
    communicator.check(planner);
    if communicator.kind() == "ssm" {
        let text = "the communicator `ssm` needs an instance that bake launches";
        planner.wrong("communicator", text, "one of ssh, winrm, none");
        return;
    }
    if let Some(option) = communicator.missing_host() {
        planner.wrong(option, format!("`{option}` is needed"), "the machine's name or address");
    }
    communicator.check_one_login(planner);
    communicator.check_effects_without_launch(planner);
}

/// A use of the builder.
struct NullBuild {
    /// The machine; `None` for the communicator `none`.
    machine: Option<Machine>,
    places: Places,
}

struct Machine {
    host: String,
    port: u16,
    login: Login,
}

enum Login {
    Ssh(Box<SshSettings>),
    WinRm(Box<WinRmSettings>),
}

fn prepare(plan: &Plan, settings: &RunSettings) -> Result<Box<dyn PreparedBuild>, Diagnostics> {
    let component = &plan.builder.component;
    let decoded = component.decode(None, NullOptions::schema(), NullOptions::decode_options)?;
    let NullOptions { communicator } = decoded.options;
    let machine = match communicator.kind() {
        "none" => None,
        "winrm" => Some(Machine {
            host: communicator.winrm_host.clone().unwrap_or_default(),
            port: communicator.port(),
            login: Login::WinRm(Box::new(communicator.winrm_settings())),
        }),
        _ => Some(Machine {
            host: communicator.ssh_host.clone().unwrap_or_default(),
            port: communicator.port(),
            login: Login::Ssh(Box::new(communicator.ssh_settings(&settings.directory))),
        }),
    };
    let places = Places::new(component.owner.clone(), decoded.facts.spans);
    Ok(Box::new(NullBuild { machine, places }))
}

impl PreparedBuild for NullBuild {
    fn run<'a>(&'a self, context: &'a BuildContext) -> BoxFuture<'a, BuildOutcome> {
        let work = async {
            let result = match self.work(context).await {
                Err(_) if context.cancel.stop().is_cancelled() => Err(BuildError::Cancelled),
                other => other,
            };
            (result, Vec::new())
        };
        conclude(context, &self.places, work).boxed()
    }
}

impl NullBuild {
    async fn work(&self, context: &BuildContext) -> Result<Artifact, BuildError> {
        let mut data = BuildData::from([
            ("ID".to_owned(), Value::string("Null")),
            ("PackerRunUUID".to_owned(), Value::string(&context.run_id)),
        ]);
        let reached = self.machine.as_ref().map(|Machine { host, port, login }| {
            let (kind, user, login, password) = match login {
                Login::Ssh(login) => ("ssh", &login.username, Some(&**login), None),
                Login::WinRm(login) => ("winrm", &login.username, None, login.password.as_ref()),
            };
            Reached { kind, host, port: *port, user, login, password }
        });
        add_connection(&mut data, reached.as_ref());
        let communicator = match &self.machine {
            Some(machine) => {
                let connecting = context.connect_to(machine.way());
                Some(step(&context.events, Step::Connect, connecting).await?)
            }
            None => None,
        };
        // The machine was there before, and is as ready as it will be.
        let provisioning = context.provision_machine(communicator.as_ref(), data, Duration::ZERO);
        let result = step(&context.events, Step::Provision, provisioning).await;
        hang_up(communicator, seconds(5), context.cancel.hurry()).await;
        result.map(|()| Artifact::Null)
    }
}

impl Machine {
    /// How it is connected to.
    fn way(&self) -> Way {
        let (host, port) = (self.host.clone(), self.port);
        match &self.login {
            Login::Ssh(login) => {
                Way::Ssh { host, port, login: login.clone(), dial: None, private_key: None }
            }
            Login::WinRm(login) => Way::WinRm { host, port, login: login.clone(), dial: None },
        }
    }
}
