//! bake's own part, through its library: what `bake build` does with a machine that is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake::communicator::Communicator as _;
use bake::communicator::ssh::{Address, Authentication, SshOptions, connect};
use bake::diagnostic::{Diagnostics, Style, render};
use bake::event;
use bake::plan::{Kinds, Plan, Selection, plan};
use bake::provision::{KINDS, StepContext, run_steps};
use bake::template::schema::{BuildData, Secret};
use bake::template::{Environment, Run, VariableInputs, load};
use tokio_util::sync::CancellationToken;

/// Plans a template and runs its steps; address and key come in the environment.
pub(crate) fn run(template: &Path) {
    let plan = planned(template);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(steps(&plan));
}

fn planned(template: &Path) -> Plan {
    let mut found = Diagnostics::new();
    let directory = PathBuf::from("/");
    let plans = (|| {
        let loaded = load(template)?;
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).expect("a time"),
            directory: directory.clone(),
            environment: BTreeMap::new(),
            random: || [7; 16],
            data_sources: bake::lookup::DATA_SOURCES,
            answers: bake::template::lookup::Answers::default(),
        };
        let environment =
            Environment::new(&loaded.template, &VariableInputs::default(), run, &mut found)?;
        let builders = bake::build::KINDS;
        let kinds = Kinds { builders, provisioners: KINDS, post_processors: &[] };
        let selection = Selection::new(&[], &[]).expect("selects all");
        plan(&loaded.template, &environment, kinds, &selection, &directory, &mut found)
    })();
    match plans {
        Ok(mut plans) => plans.remove(0),
        Err(found) => panic!("{}", render(&found, Style::default())),
    }
}

async fn steps(plan: &Plan) {
    let variable = |name| std::env::var(name).expect(name);
    let key = std::fs::read_to_string(variable("BAKE_BENCH_KEY")).expect("read the key");
    let options = SshOptions::new("root", vec![Authentication::Key(Secret::new(key))]);
    let (emitter, mut events) = event::channel();
    let listen = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let cancel = CancellationToken::new();
    let address = Address::known(variable("BAKE_BENCH_ADDRESS"), 22);
    let ssh = connect(options, address, emitter.clone(), cancel.clone()).await.expect("connect");
    let data = BuildData::new();
    let context = StepContext {
        communicator: &ssh,
        emitter: &emitter,
        data: &data,
        build_name: "null",
        builder_type: "null",
        started: std::time::Instant::now(),
        cancel: &cancel,
    };
    run_steps(plan, context).await.expect("all steps succeed");
    ssh.disconnect().await;
    drop((ssh, emitter));
    listen.await.expect("no panic");
}
