//! Scripts when the build runs: their bytes, their variables, the texts that go with them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{ScriptOptions, environment, file_name, name};
use crate::communicator::{CommunicatorError, Exit};
use crate::event::{Emitter, Fact};
use crate::plan::{Component, Content, Digest, Entry, Tree, read_tree};
use crate::provision::{ProvisionError, StepRun};
use crate::template::schema::{BuildData, Deferred, UnknownField};

/// A script with its name for people.
pub(in crate::provision) struct Script {
    pub(in crate::provision) name: String,
    pub(in crate::provision) bytes: Vec<u8>,
}

/// What a component that runs scripts knows about itself and the build; nothing of it needs an
/// instance.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// What the template says.
    pub(crate) component: &'a Component,
    /// The files that were planned.
    pub(crate) trees: &'a BTreeMap<String, Tree>,
    /// What the build knows by now.
    pub(crate) data: &'a BuildData,
    /// Emits in the name of the build.
    pub(crate) emitter: &'a Emitter,
    /// The source's name: `PACKER_BUILD_NAME`.
    pub(crate) build_name: &'a str,
    /// The builder's type: `PACKER_BUILDER_TYPE`.
    pub(crate) builder_type: &'a str,
}

impl<'a> StepRun<'a> {
    /// What its scripts need.
    pub(in crate::provision) fn surroundings(&self) -> Surroundings<'a> {
        Surroundings {
            component: &self.planned.component,
            trees: &self.planned.trees,
            data: self.context.data,
            emitter: self.context.emitter,
            build_name: self.context.build_name,
            builder_type: self.context.builder_type,
        }
    }
}

impl Surroundings<'_> {
    /// Tells the user something.
    pub(in crate::provision) async fn say(&self, text: impl Into<String>) {
        self.emitter.emit(Fact::ProvisionerSaid { text: text.into() }).await;
    }

    /// Carries out the actions in a text.
    pub(in crate::provision) fn render(
        &self,
        option: &'static str,
        text: &Deferred,
        fields: &BuildData,
        unknown: UnknownField,
    ) -> Result<String, ProvisionError> {
        let resolve = self.component.evaluate.resolve(Some(self.data));
        text.render(&*resolve, fields, unknown)
            .map_err(|message| ProvisionError::Render { option, message })
    }

    /// Carries out the actions in texts that know only the build, such as commands of `inline`:
    /// what is no action of ours stays as it is.
    pub(in crate::provision) fn render_all(
        &self,
        option: &'static str,
        texts: &[Deferred],
    ) -> Result<Vec<String>, ProvisionError> {
        let render = |text| self.render(option, text, self.data, UnknownField::Keep);
        texts.iter().map(render).collect()
    }

    /// The local scripts, if they still are what was planned.
    pub(in crate::provision) fn local_scripts(
        &self,
        options: &ScriptOptions,
    ) -> Result<Vec<Script>, ProvisionError> {
        let read = |(index, path): (usize, &str)| {
            let bytes = match self.trees.get(&name(index)) {
                Some(tree) => bytes_of(tree)?,
                // Its path was not known when the plan was made.
                None => bytes_of(&read_tree(Path::new(path))?)?,
            };
            Ok(Script { name: file_name(path), bytes })
        };
        options.local_scripts().enumerate().map(read).collect()
    }

    /// The variables of the scripts.
    pub(in crate::provision) fn variables(
        &self,
        options: &ScriptOptions,
    ) -> Result<BTreeMap<String, String>, ProvisionError> {
        let mut variables = self.own_variables();
        for text in &options.environment_vars {
            let (name, value) = environment::split(text).map_err(|message| {
                ProvisionError::Render { option: "environment_vars", message }
            })?;
            variables.insert(name.into(), value.into());
        }
        variables.extend(options.env.clone());
        Ok(variables)
    }

    /// The variables that scripts get without asking.
    pub(in crate::provision) fn own_variables(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("PACKER_BUILD_NAME".to_owned(), self.build_name.to_owned()),
            ("PACKER_BUILDER_TYPE".to_owned(), self.builder_type.to_owned()),
        ])
    }
}

impl ScriptOptions {
    /// Whether a script ended as it may.
    ///
    /// # Errors
    ///
    /// How it ended otherwise.
    pub(in crate::provision) fn judge(&self, exit: Exit) -> Result<(), ProvisionError> {
        match exit {
            Exit::Code(status) if self.valid_exit_codes.contains(&status) => Ok(()),
            Exit::Code(status) => {
                let allowed = self.valid_exit_codes.clone();
                Err(ProvisionError::ExitStatus { status, allowed })
            }
            Exit::Signal(signal) => Err(ProvisionError::Killed { signal }),
            Exit::Disconnected { reason } => Err(ProvisionError::Disconnected { reason }),
        }
    }
}

/// The bytes of a planned file, if they still are what was planned.
fn bytes_of(tree: &Tree) -> Result<Vec<u8>, ProvisionError> {
    let Some(Entry::File { digest, content, .. }) = tree.single_file() else {
        return Ok(Vec::new());
    };
    match content {
        Content::Bytes(bytes) => Ok(bytes.to_vec()),
        Content::File(path) => {
            let bytes = std::fs::read(path)
                .map_err(|source| CommunicatorError::Read { path: path.clone(), source })?;
            if Digest::of(&bytes) == *digest {
                Ok(bytes)
            } else {
                Err(CommunicatorError::Changed { path: path.clone() }.into())
            }
        }
    }
}
