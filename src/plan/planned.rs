//! Plans and their parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Component, ComponentKind, Planner, Tree};
use crate::diagnostic::{Diagnostics, Span};

/// A component with all its inputs named.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What the template says.
    pub component: Component,
    /// Canonical form of its hashed options, without those that have their default.
    pub hashed: serde_json::Map<String, serde_json::Value>,
    /// The same with the options that are not hashed; secrets are not in it.
    pub evaluated: serde_json::Map<String, serde_json::Value>,
    /// Files it uses, by the names its kind gave them.
    pub trees: BTreeMap<String, Tree>,
    /// Where each of them was read, absolute or from where bake runs; on this machine, so in no hash.
    pub places: BTreeMap<String, PathBuf>,
    /// What it does, for people.
    pub title: String,
    /// Hashed options whose value comes from a clock or a random source.
    pub volatile: Vec<(String, Span)>,
    /// Options whose value is only known while the build runs.
    pub late: BTreeSet<String>,
    /// Texts to be masked in all output.
    pub secrets: BTreeSet<String>,
    /// Errors that a build ends with before it begins: what it asks for that bake cannot do yet.
    pub unsupported: Diagnostics,
}

impl Planned {
    /// Checks a component and names its inputs. What is wrong goes into `diagnostics`; the result is
    /// only of use when there are no errors.
    pub fn of(
        component: &Component,
        kind: &ComponentKind,
        directory: &Path,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut planner = Planner::new(component, directory, diagnostics);
        (kind.plan)(&mut planner);
        planner.finish()
    }
}

/// What every provisioner may say about itself (`packer-core.md` section 2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepMeta {
    /// Wait before it runs.
    pub pause_before: Duration,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Whether the build goes on when it has failed for good.
    pub continue_on_error: bool,
}

/// A provisioner in a plan.
#[derive(Clone, Debug)]
pub struct StepPlan {
    /// What it is.
    pub planned: Planned,
    /// How it is run.
    pub meta: StepMeta,
}

/// A post-processor in a plan. It works on the finished image, so it is not part of any hash.
#[derive(Clone, Debug)]
pub struct PostProcessorPlan {
    /// What it is.
    pub planned: Planned,
    /// Its name, if it has one: what `-except` matches and people see.
    pub name: Option<String>,
    /// Whether the artifact that it starts from is kept; by default that depends on its type.
    pub keep_input_artifact: Option<bool>,
}

/// One build of one source.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What users see: `amazon-ebs.app`, with the build block's name in front when it has one.
    pub name: String,
    /// The source's name, or the legacy builder's: `PACKER_BUILD_NAME`.
    pub source_name: String,
    /// The builder.
    pub builder: Planned,
    /// Provisioners in order.
    pub steps: Vec<StepPlan>,
    /// What runs when a step has failed, before teardown.
    pub error_cleanup: Option<StepPlan>,
    /// Chains of post-processors; each chain starts from the builder's artifact.
    pub post_processors: Vec<Vec<PostProcessorPlan>>,
    /// What the template hash is taken over, where look-ups have filled in values since: it is
    /// about the recipe as it was before. Without look-ups it follows from the components.
    pub known_recipe: Option<Arc<serde_json::Value>>,
    /// Texts of all secrets of the template, also of those that its components have as parts of
    /// other texts only: nothing that is kept may have one of them in it.
    pub secrets: Arc<BTreeSet<String>>,
}

impl Plan {
    /// All components in order, those that work on the finished image too.
    pub fn all_components(&self) -> impl Iterator<Item = &Planned> {
        let after = self.post_processors.iter().flatten().map(|one| &one.planned);
        self.components().chain(after)
    }

    /// Errors about what bake cannot do yet.
    pub fn unsupported(&self) -> Diagnostics {
        self.all_components().flat_map(|one| one.unsupported.clone()).collect()
    }

    /// The components that shape the image, in order.
    pub fn components(&self) -> impl Iterator<Item = &Planned> {
        let steps = self.steps.iter().chain(&self.error_cleanup).map(|step| &step.planned);
        std::iter::once(&self.builder).chain(steps)
    }

    /// Whether nothing that shapes the image comes from a clock or a random source.
    pub fn is_repeatable(&self) -> bool {
        self.components().all(|component| component.volatile.is_empty())
    }
}
