//! Who may use an image or a snapshot.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::CloudError;

/// Accounts, groups, organizations and organizational units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Account ids.
    pub users: BTreeSet<String>,
    /// `all` is the only group.
    pub groups: BTreeSet<String>,
    /// ARNs of organizations.
    pub organizations: BTreeSet<String>,
    /// ARNs of organizational units.
    pub units: BTreeSet<String>,
}

/// What to add and what to take away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionChange {
    /// Who may from now on.
    pub add: Permissions,
    /// Who may not any more.
    pub remove: Permissions,
}

impl Permissions {
    /// Whether everybody may.
    pub fn is_public(&self) -> bool {
        self.groups.contains("all")
    }

    fn check(&self) -> Result<(), CloudError> {
        let code = "InvalidAMIAttributeItemValue";
        for user in &self.users {
            if user.len() != 12 || !user.bytes().all(|b| b.is_ascii_digit()) {
                return Err(CloudError::new(
                    code,
                    format!("Invalid attribute item value \"{user}\" for userId item type."),
                ));
            }
        }
        match self.groups.iter().find(|group| *group != "all") {
            Some(group) => Err(CloudError::new(
                code,
                format!("Invalid attribute item value \"{group}\" for userGroup item type."),
            )),
            None => Ok(()),
        }
    }

    /// Applies a change, or says which item is no account or group.
    pub(crate) fn change(&mut self, change: &PermissionChange) -> Result<(), CloudError> {
        change.add.check()?;
        change.remove.check()?;
        let parts = [
            (&mut self.users, &change.add.users, &change.remove.users),
            (&mut self.groups, &change.add.groups, &change.remove.groups),
            (&mut self.organizations, &change.add.organizations, &change.remove.organizations),
            (&mut self.units, &change.add.units, &change.remove.units),
        ];
        for (set, add, remove) in parts {
            set.extend(add.iter().cloned());
            set.retain(|item| !remove.contains(item));
        }
        Ok(())
    }
}
