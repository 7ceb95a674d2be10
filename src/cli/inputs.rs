//! From arguments to plans: what `build`, `validate` and `hash` have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::aws::OwnCloud;
use crate::build::SourceSearch;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::lookup::{DATA_SOURCES, LookUp, PinnedLookUp, Resolver, Round, Surroundings, settle};
use crate::plan::identity::template_recipe;
use crate::plan::lock::{Pins, Scope};
use crate::plan::{self, Kinds, Plan, Selection};
use crate::provision::normalize;
use crate::render::Mask;
use crate::template::evaluate::Used;
use crate::template::lookup::{Answers, Lookup};
use crate::template::schema::Schema;
use crate::template::syntax::Dialect;
use crate::template::upgrade::Role;
use crate::template::{self, Environment, Loaded, Run, UNKNOWN_VALUE, VariableInputs};

use super::arguments::{TemplateArguments, ValueArguments};
use super::outcome::report;

/// Prefix of environment variables that set template variables.
const VARIABLE_PREFIX: &str = "PKR_VAR_";

/// A template with everything that could be known about it.
pub(super) struct Prepared {
    pub(super) plans: Vec<Plan>,
    pub(super) warnings: Diagnostics,
    /// What functions have read.
    pub(super) used: Used,
}

impl Prepared {
    /// Adds the step that removes what differs from build to build to all builds.
    ///
    /// # Errors
    /// Builds for which that cannot be done.
    pub(super) fn normalize(&mut self) -> Result<(), Diagnostics> {
        let mut found = Diagnostics::new();
        for plan in &mut self.plans {
            if let Err(finding) = normalize::add(plan) {
                found.push(finding);
            }
        }
        found.into_result(())
    }

    /// Errors about what a build asks for that bake cannot do yet.
    pub(super) fn unsupported(&self) -> Diagnostics {
        plan::without_repeats(self.plans.iter().flat_map(Plan::unsupported).collect())
    }
}

/// A template that was read, with all that evaluating it takes. Evaluations see one moment and one
/// source of random values, however many there are.
pub(super) struct Inputs {
    loaded: Loaded,
    directory: PathBuf,
    selection: Selection,
    variables: VariableInputs,
    environment: BTreeMap<String, String>,
    now: jiff::Timestamp,
}

impl Inputs {
    /// Reads the files that the arguments name.
    ///
    /// # Errors
    /// What is wrong with them before evaluation.
    pub(super) fn read(
        arguments: &TemplateArguments,
        warn_of_undeclared: bool,
        mask: &Mask,
    ) -> Result<Self, Diagnostics> {
        Self::of(template::load(&arguments.template)?, arguments, warn_of_undeclared, mask)
    }

    /// The same of a template that is loaded already.
    ///
    /// # Errors
    /// Arguments that do not fit.
    pub(super) fn of(
        loaded: Loaded,
        arguments: &TemplateArguments,
        warn_of_undeclared: bool,
        mask: &Mask,
    ) -> Result<Self, Diagnostics> {
        Self::in_directory(loaded, working_directory()?, arguments, warn_of_undeclared, mask)
    }

    /// The same where another directory stands for the working directory.
    ///
    /// # Errors
    /// Arguments that do not fit.
    pub(super) fn in_directory(
        loaded: Loaded,
        directory: PathBuf,
        arguments: &TemplateArguments,
        warn_of_undeclared: bool,
        mask: &Mask,
    ) -> Result<Self, Diagnostics> {
        let selection = Selection::of(
            loaded.template.dialect,
            &arguments.builds.only,
            &arguments.builds.except,
        )
        .map_err(|message| Diagnostic::error("wrong-pattern", message))?;
        let (mut variables, run) =
            process_inputs(&loaded.variable_files, &arguments.values, &directory);
        variables.warn_of_undeclared = warn_of_undeclared;
        // Before anything can be told of them, also where evaluation fails.
        mask.add(template::given_secrets(&loaded.template, &variables));
        let Run { environment, now, .. } = run;
        Ok(Self { loaded, directory, selection, variables, environment, now })
    }

    /// Evaluates and plans without touching the network. Secrets that are met go to `mask`.
    pub(super) fn evaluate(&self, answers: &Answers, mask: &Mask) -> Round<Prepared> {
        let mut warnings = self.loaded.warnings.clone();
        let run = Run {
            now: self.now,
            directory: self.directory.clone(),
            environment: self.environment.clone(),
            random: seed,
            data_sources: DATA_SOURCES,
            answers: answers.clone(),
        };
        let template = &self.loaded.template;
        let (environment, found) = Environment::as_far_as_possible(template, &self.variables, run);
        mask.add(environment.secrets());
        if found.has_errors() {
            return Round { result: Err(found), pending: Vec::new() };
        }
        warnings.extend(found);
        let mut result = self.plan(&environment, &mut warnings);
        for component in result.iter().flatten().flat_map(Plan::all_components) {
            mask.add(&component.secrets);
        }
        let given = template::given_secrets(template, &self.variables);
        let secrets = environment.secrets().into_iter().chain(given).chain(answers.secrets());
        let secrets: Arc<BTreeSet<_>> = Arc::new(secrets.collect());
        mask.add(&*secrets);
        for plan in result.iter_mut().flatten() {
            plan.secrets = Arc::clone(&secrets);
        }
        let pending = environment.pending();
        let used = environment.used();
        Round { result: result.map(|plans| Prepared { plans, warnings, used }), pending }
    }

    /// Where relative paths start.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The files of the template, then those that give values to its variables.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.loaded.files.iter().chain(&self.variables.files)
    }

    /// The names of the variables that the template declares.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.loaded.template.variables.iter().map(|one| one.name.text.as_str())
    }

    /// The environment variables that give values to variables of the template.
    pub(super) fn environment_of_variables(&self) -> impl Iterator<Item = String> {
        // Those of legacy templates come from files and the command line only.
        let given = self.loaded.template.dialect != Dialect::Legacy;
        let names = self
            .variables()
            .filter(move |name| given && self.variables.environment.contains_key(*name));
        names.map(|name| format!("{VARIABLE_PREFIX}{name}"))
    }

    fn plan(
        &self,
        environment: &Arc<Environment>,
        warnings: &mut Diagnostics,
    ) -> Result<Vec<Plan>, Diagnostics> {
        let (template, directory) = (&self.loaded.template, &self.directory);
        plan::plan(template, environment, kinds(), &self.selection, directory, warnings)
    }

    /// The searches for source images of plans; in place of the account that the template names, a
    /// `cloud` of one's own is asked.
    ///
    /// # Errors
    /// Options that cannot be read.
    pub(super) fn searches(
        &self,
        plans: &[Plan],
        cloud: Option<&OwnCloud>,
    ) -> Result<Vec<SourceSearch>, Diagnostics> {
        let mut found = Diagnostics::new();
        let searches = plans
            .iter()
            .map(|plan| SourceSearch::of(plan, &self.directory, cloud))
            .collect::<Vec<_>>();
        let searches = searches.into_iter().filter_map(|search| found.take(search).flatten());
        let searches = searches.collect();
        found.into_result(searches)
    }

    /// What keeps `-locked` from looking for the source images of plans, as far as these are known.
    async fn unpinned_sources(
        &self,
        plans: &[Plan],
        cloud: Option<&OwnCloud>,
        pins: &Pins,
    ) -> Diagnostics {
        let searches = plans.iter().map(|plan| SourceSearch::of(plan, &self.directory, cloud));
        // Options that cannot be read are errors of somebody else.
        let checks = searches.filter_map(Result::ok).flatten().map(async |search| {
            let checked = search.check(pins).await;
            checked.err()
        });
        futures::future::join_all(checks).await.into_iter().flatten().collect()
    }

    /// Like [`settle`](Self::settle), by `pins` and in a `cloud`; where these are strict, all that is
    /// not pinned is told at once. Warns of what is not in the lock.
    ///
    /// # Errors
    /// As for `settle`; what is not pinned.
    pub(super) async fn look_up(
        &self,
        first: Round<Prepared>,
        cloud: Option<&OwnCloud>,
        pins: &Pins,
        mask: &Mask,
    ) -> Result<Prepared, Diagnostics> {
        let resolver = self.resolver(cloud.cloned());
        if !pins.exist() {
            return self.settle(first, &resolver, mask).await;
        }
        let looking = PinnedLookUp::new(&resolver, pins, Scope::Nothing);
        match self.settle(first, &looking, mask).await {
            Ok(mut prepared) => {
                if pins.are_strict() {
                    let found = self.unpinned_sources(&prepared.plans, cloud, pins).await;
                    found.into_result(())?;
                }
                prepared.warnings.extend(looking.notices());
                Ok(prepared)
            }
            Err(found) if pins.are_strict() => {
                // Evaluation stops at the first kind of thing that is refused.
                let refusals = looking.refusals();
                let mut found = if refusals.is_empty() { found } else { refusals };
                // As far as they are known without the look-ups.
                if let Ok(prepared) = self.evaluate(&Answers::default(), mask).result {
                    found.extend(self.unpinned_sources(&prepared.plans, cloud, pins).await);
                }
                Err(found)
            }
            Err(found) => Err(found),
        }
    }

    /// Evaluates and plans where nobody may be asked; `what` is what cannot be had where that is not
    /// enough. Warnings are told.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(super) fn offline(&self, what: &str, mask: &Mask) -> Result<Prepared, Diagnostics> {
        let round = self.evaluate(&Answers::default(), mask);
        let prepared = round.result.map_err(|mut found| {
            if found.iter().any(|one| one.code == UNKNOWN_VALUE) {
                found.extend(not_looked_up(&round.pending, what, None));
            }
            found
        })?;
        report(&prepared.warnings, mask);
        Ok(prepared)
    }

    /// Who asks the network; in place of the account that the template names, a `cloud` of one's own.
    pub(super) fn resolver(&self, cloud: Option<OwnCloud>) -> Resolver {
        Resolver::new(Surroundings { environment: self.environment.clone(), cloud })
    }

    /// Evaluates and plans with all that the template looks up, starting from what is known
    /// without.
    ///
    /// # Errors
    /// What is wrong with the template, and look-ups that failed, at their places.
    pub(super) async fn settle(
        &self,
        first: Round<Prepared>,
        who: &dyn LookUp,
        mask: &Mask,
    ) -> Result<Prepared, Diagnostics> {
        // The recipe is hashed as it is before anything is looked up.
        let known = if first.pending.is_empty() { Vec::new() } else { recipes(&first) };
        let mut first = Some(first);
        let next = |answers: &Answers| first.take().unwrap_or_else(|| self.evaluate(answers, mask));
        let mut prepared = settle(who, next).await?;
        let names = prepared.plans.iter().map(|plan| &plan.name);
        if names.eq(known.iter().map(|(name, _)| name)) {
            for (plan, (_, recipe)) in prepared.plans.iter_mut().zip(known) {
                plan.known_recipe = Some(Arc::new(recipe));
            }
        }
        Ok(prepared)
    }
}

/// What the template hashes of all plans are taken over, with their names.
fn recipes(round: &Round<Prepared>) -> Vec<(String, serde_json::Value)> {
    let plans = round.result.as_ref().map(|prepared| prepared.plans.as_slice());
    let plans = plans.unwrap_or_default().iter();
    plans.map(|plan| (plan.name.clone(), template_recipe(plan))).collect()
}

/// What a command cannot say because something was not looked up: `what`, at each place.
pub(super) fn not_looked_up(pending: &[Lookup], what: &str, help: Option<&str>) -> Diagnostics {
    pending
        .iter()
        .map(|lookup| {
            let summary = format!("`{}` was not looked up", lookup.asked_by);
            Diagnostic::error("not-looked-up", summary)
                .at(&lookup.span, format!("{what} without its value"))
                .maybe_help(help.map(str::to_owned))
        })
        .collect()
}

/// One for all evaluations of this process: what they ask of others must not change.
fn seed() -> [u8; 16] {
    static SEED: OnceLock<[u8; 16]> = OnceLock::new();
    *SEED.get_or_init(rand::random)
}

/// The components that bake has.
pub(super) fn kinds() -> Kinds<'static> {
    Kinds {
        builders: crate::build::KINDS,
        provisioners: crate::provision::KINDS,
        post_processors: crate::publish::KINDS,
    }
}

/// The options of a component that bake has.
pub(super) fn schema(role: Role, name: &str) -> Option<&'static Schema> {
    let kinds = kinds();
    let of_role = match role {
        Role::Builder => kinds.builders,
        Role::Provisioner => kinds.provisioners,
        Role::PostProcessor => kinds.post_processors,
    };
    of_role.iter().find(|kind| kind.name == name).map(|kind| (kind.schema)())
}

/// The working directory, absolute.
pub(super) fn working_directory() -> Result<PathBuf, Diagnostics> {
    std::env::current_dir().map_err(|error| {
        Diagnostic::error("working-directory", format!("no working directory: {error}")).into()
    })
}

/// What the command line, the environment and this moment contribute to an evaluation, with the
/// variable files of a template's directory.
pub(super) fn process_inputs(
    variable_files: &[PathBuf],
    values: &ValueArguments,
    directory: &Path,
) -> (VariableInputs, Run) {
    // Variables that are not UTF-8 cannot be asked for by a template.
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let inputs = VariableInputs {
        command_line: values.variables.clone(),
        files: variable_files.iter().chain(&values.variable_files).cloned().collect(),
        environment: environment
            .iter()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix(VARIABLE_PREFIX)?.to_owned(), value.clone()))
            })
            .collect(),
        warn_of_undeclared: false,
    };
    let run = Run {
        now: jiff::Timestamp::now(),
        directory: directory.to_owned(),
        environment,
        random: seed,
        data_sources: DATA_SOURCES,
        answers: Answers::default(),
    };
    (inputs, run)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;
    use crate::plan::identity::{recipe_hash, template_hash};
    use crate::template::lookup::{Answer, Question};
    use crate::value::Value;

    struct Web(&'static str);

    impl LookUp for Web {
        fn look_up<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Answer> {
            let body = ("body".to_owned(), Value::string(self.0));
            async { Answer::found(Value::object(BTreeMap::from([body]))) }.boxed()
        }
    }

    #[tokio::test]
    async fn answers_do_not_move_the_template_hash() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let template = directory.path().join("t.pkr.hcl");
        let text = r#"
data "http" "list" { url = "https://example.com" }
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami    = "ami-12345678"
}
build {
  sources = ["source.amazon-ebs.t"]
  provisioner "shell" { inline = split(",", data.http.list.body) }
}
"#;
        std::fs::write(&template, text).expect("write template");
        let arguments = TemplateArguments::of(template, ValueArguments::default());
        let Ok(inputs) = Inputs::read(&arguments, true, &Mask::default()) else {
            panic!("a good template")
        };
        let mask = Mask::default();
        let before = recipes(&inputs.evaluate(&Answers::default(), &mask));
        assert_eq!(before.len(), 1);
        let mut scripts = Vec::new();
        for text in ["echo a,echo b", "echo c"] {
            let first = inputs.evaluate(&Answers::default(), &mask);
            let Ok(after) = inputs.settle(first, &Web(text), &mask).await else { panic!("{text}") };
            let [plan] = after.plans.as_slice() else { panic!("one plan") };
            assert_eq!(template_hash(plan), recipe_hash(&before[0].1));
            scripts.push(plan.steps[0].planned.hashed.clone());
        }
        assert_ne!(scripts[0], scripts[1]);
    }

    #[test]
    fn normalising_is_an_input_of_the_image_and_not_of_the_template() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let prepared = |options: &str| {
            let template = directory.path().join("t.pkr.hcl");
            let text = format!(
                "source \"amazon-ebs\" \"t\" {{\n  instance_type = \"t3.micro\"\n  source_ami = \"ami-12345678\"\n  {options}\n}}\nbuild {{\n  sources = [\"source.amazon-ebs.t\"]\n}}\n"
            );
            std::fs::write(&template, text).expect("write template");
            let arguments = TemplateArguments::of(template, ValueArguments::default());
            let inputs = Inputs::read(&arguments, true, &Mask::default());
            let inputs = inputs.unwrap_or_else(|found| panic!("{found:?}"));
            let round = inputs.evaluate(&Answers::default(), &Mask::default());
            round.result.unwrap_or_else(|found| panic!("{found:?}"))
        };
        let hashes = |plan: &Plan| {
            let source = serde_json::json!({ "id": "ami-12345678" });
            (template_hash(plan), plan::identity::image_hash(plan, &[], &source))
        };
        let mut plain = prepared("ssh_username = \"admin\"");
        let (template, image) = hashes(&plain.plans[0]);
        plain.normalize().expect("it can be normalised");
        let last = plain.plans[0].steps.last().expect("a step");
        assert_eq!(last.planned.component.kind, normalize::KIND);
        let (template_after, image_after) = hashes(&plain.plans[0]);
        assert_eq!(template_after, template);
        assert_ne!(image_after, image);

        for options in [
            "communicator = \"none\"",
            "communicator = \"winrm\"\n  winrm_username = \"Administrator\"",
        ] {
            let mut prepared = prepared(options);
            assert!(prepared.normalize().is_err(), "{options}");
            assert!(prepared.plans[0].steps.is_empty());
        }
    }
}
