//! Which instance has which instance profile.

use super::filter::{Field, Filter, Filterable, select};
use super::instance::{Instance, InstanceState};
use super::session::{Effect, Session};
use super::{CloudError, Tags, id, time_text};
use jiff::Timestamp;

/// An instance profile of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// `iip-assoc-…`
    pub id: String,
    /// `i-…`
    pub instance_id: String,
    /// ARN and id of the profile.
    pub profile: (String, String),
    /// Since when.
    pub since: Timestamp,
}

impl Association {
    fn of(instance: &Instance) -> Option<Self> {
        let (id, since) = instance.association.clone()?;
        let profile = instance.profile.clone()?;
        Some(Self { id, instance_id: instance.id.clone(), profile, since })
    }
}

impl Filterable for Association {
    const FIELDS: &'static [Field<Self>] = &[
        ("instance-id", |a| vec![a.instance_id.clone()]),
        ("state", |_| vec!["associated".to_owned()]),
        ("timestamp", |a| vec![time_text(a.since)]),
    ];

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

impl Session<'_> {
    /// AssociateIamInstanceProfile.
    pub fn associate_profile(
        &mut self,
        instance_id: &str,
        profile: &str,
    ) -> Result<Association, CloudError> {
        let profile = self.iam.profile_for_launch(profile)?;
        let now = self.now;
        let instance = self.instance_mut(instance_id)?;
        if matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated) {
            return Err(CloudError::new(
                "IncorrectInstanceState",
                format!(
                    "The instance '{instance_id}' is not in a state from which it can have an IAM instance profile associated."
                ),
            ));
        }
        if instance.association.is_some() {
            return Err(CloudError::new(
                "IncorrectState",
                format!("There is an existing association for instance {instance_id}"),
            ));
        }
        let association = (id::fresh("iip-assoc"), now);
        instance.profile = Some(profile.clone());
        instance.association = Some(association.clone());
        self.effects.push(Effect::Register(instance_id.to_owned()));
        let (id, since) = association;
        Ok(Association { id, instance_id: instance_id.to_owned(), profile, since })
    }

    /// DisassociateIamInstanceProfile.
    pub fn disassociate_profile(&mut self, id: &str) -> Result<Association, CloudError> {
        let has_it = |instance: &&mut Instance| {
            instance.association.as_ref().is_some_and(|(found, _)| found == id)
        };
        let instance = self.region.instances.values_mut().find(has_it);
        let found = instance.and_then(|instance| {
            let association = Association::of(instance);
            (instance.profile, instance.association) = (None, None);
            association
        });
        found.ok_or_else(|| {
            let message = format!("An invalid association-id of '{id}' was given");
            CloudError::new("InvalidAssociationID.NotFound", message)
        })
    }

    /// DescribeIamInstanceProfileAssociations.
    pub fn associations(
        &self,
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Association>, CloudError> {
        let live = self
            .region
            .instances
            .values()
            .filter(|instance| instance.visible(self.now) && !instance.state.is_terminated());
        let all = live.filter_map(Association::of);
        let chosen = all.filter(|found| ids.is_empty() || ids.contains(&found.id));
        select(chosen, filters)
    }
}
