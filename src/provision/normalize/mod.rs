//! The built-in last step that takes known noise out of an image to be (`bake build -normalize`,
//! `bake repro -normalize`): two builds of the same inputs then hold the same files, as far as the
//! template's own steps do.
//!
//! What must be unique to each machine is removed, never fixed to a constant. What counts as noise
//! is in `docs/reproducibility.md`; a change of it changes [`VERSION`].

mod run;
mod script;

use std::sync::Arc;

use serde_json::json;

use super::Provisioner;
use crate::diagnostic::Diagnostic;
use crate::plan::identity::template_recipe;
use crate::plan::{Component, ComponentKind, Plan, Planned, StepMeta, StepPlan};
use crate::template::syntax::Body;

/// Which noise is removed; part of the image hash where the step is on.
pub const VERSION: u32 = 1;

/// The step's type, as hashes, records and logs have it. Templates cannot ask for it: it would be
/// nothing to Packer.
pub const KIND: &str = "bake-normalize";

crate::options! {
    /// Removes what differs from build to build. There is nothing to choose.
    struct NormalizeOptions {}
}

/// The builder whose images may be normalised: others work on machines that live on.
const BUILDER: &str = "amazon-ebs";

/// What steps of this type run.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: KIND, schema: NormalizeOptions::schema, plan: |_| {} },
    run: Some(run::run),
};

/// Adds the step to a plan, as the last one. The template hash stays that of the template; the
/// image hash is another one.
///
/// # Errors
/// When this cannot be done to what the plan builds.
pub fn add(plan: &mut Plan) -> Result<(), Diagnostic> {
    let builder = &plan.builder;
    let refused = |why: &str, help: &str| {
        let summary = format!("`{}` cannot be normalised: {why}", plan.name);
        Diagnostic::error("not-normalisable", summary).at(&builder.component.owner, "").help(help)
    };
    if builder.component.kind != BUILDER {
        let why = format!("`{}` makes no image of a machine of its own", builder.component.kind);
        return Err(refused(&why, "leave the build out with `-except`"));
    }
    let communicator = builder.evaluated.get("communicator").and_then(|form| form.as_str());
    match communicator {
        Some("winrm") => {
            return Err(refused("what is noise on Windows is not known", "build without it"));
        }
        Some("none") => {
            return Err(refused("it has no communicator", "build without it"));
        }
        _ => {}
    }
    plan.known_recipe = Some(Arc::new(template_recipe(plan)));
    let component = Component {
        kind: KIND.to_owned(),
        body: Arc::new(Body {
            attributes: Vec::new(),
            blocks: Vec::new(),
            dialect: builder.component.body.dialect,
            span: builder.component.owner.clone(),
        }),
        owner: builder.component.owner.clone(),
        evaluate: Arc::clone(&builder.component.evaluate),
    };
    let planned = Planned {
        component,
        hashed: [("version".to_owned(), json!(VERSION))].into_iter().collect(),
        evaluated: serde_json::Map::new(),
        trees: Default::default(),
        places: Default::default(),
        title: "Removing what differs from build to build".to_owned(),
        volatile: Vec::new(),
        late: Default::default(),
        secrets: Default::default(),
        unsupported: Default::default(),
    };
    plan.steps.push(StepPlan { planned, meta: StepMeta::default() });
    Ok(())
}
