//! `bake init` and `bake plugins`: what Packer installs is built in, or it is not there.

use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::render::Mask;
use crate::template::syntax::Dialect;
use crate::template::{self, PluginRequirement};

use super::Exit;
use super::arguments::{InitArguments, PluginsCommand};
use super::outcome::{complain, print, report};

/// Plugins whose components are built in, by their source addresses.
const BUILT_IN: [&str; 2] = ["github.com/hashicorp/amazon", "github.com/hashicorp/ansible"];

/// Says what of a template's requirements is built in. A plugin that is not only matters to those
/// who use its components, and then validation says so.
pub(super) fn init(arguments: &InitArguments) -> Exit {
    let required = match required(&arguments.template) {
        Ok(required) => required,
        Err(found) => {
            report(&found, &Mask::default());
            return Exit::Failed;
        }
    };
    if required.is_empty() {
        print("The template requires no plugins; nothing has to be installed.\n");
    }
    for one in &required {
        if is_built_in(&one.source) {
            print(&format!("{}: {} is built in\n", one.name, one.source));
        } else {
            print(&format!("{}: {} is not part of bake\n", one.name, one.source));
        }
    }
    if required.iter().any(|one| !is_built_in(&one.source)) {
        complain(
            "warning: builds that use components of plugins which are not part of bake are refused",
        );
    }
    Exit::Done
}

/// Lists plugins, or says why there is nothing to install or to remove.
pub(super) fn run(command: &PluginsCommand) -> Exit {
    match command {
        PluginsCommand::Installed => {
            print(&BUILT_IN.map(|source| format!("{source} (built in)\n")).concat());
            Exit::Done
        }
        PluginsCommand::Required { template } => match required(template) {
            Ok(required) => {
                for one in &required {
                    let built_in = if is_built_in(&one.source) { "built in" } else { "none" };
                    let PluginRequirement { name, source, version } = one;
                    print(&format!("{name} {source} {version:?}: {built_in}\n"));
                }
                Exit::Done
            }
            Err(found) => {
                report(&found, &Mask::default());
                Exit::Failed
            }
        },
        PluginsCommand::Install { source, .. } if is_built_in(source) => {
            print(&format!("{source} is built in; nothing has to be installed.\n"));
            Exit::Done
        }
        PluginsCommand::Install { source, .. } => {
            complain(&format!(
                "error: `{source}` is not part of bake, and bake takes no plugins\n\
                 = help: built in are {}",
                BUILT_IN.join(", ")
            ));
            Exit::Failed
        }
        PluginsCommand::Remove { source, .. } => {
            let why = if is_built_in(source) { "is built in and stays" } else { "is not there" };
            complain(&format!("error: `{source}` {why}"));
            Exit::Failed
        }
    }
}

/// Whether the components of a plugin are built in; its address may be written without the host.
fn is_built_in(source: &str) -> bool {
    BUILT_IN.iter().any(|one| *one == source || one.strip_prefix("github.com/") == Some(source))
}

/// What a template requires.
fn required(path: &Path) -> Result<Vec<PluginRequirement>, Diagnostics> {
    let template = template::load(path)?.template;
    if template.dialect == Dialect::Legacy {
        return Err(Diagnostic::error(
            "legacy-template",
            "a legacy JSON template does not say which plugins it needs",
        )
        .at(&template.whole, "")
        .help("nothing has to be installed: build it as it is")
        .into());
    }
    template::plugin_requirements(&template)
}
