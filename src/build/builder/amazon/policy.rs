//! The policy of a temporary instance profile.

#![allow(non_snake_case, reason = "IAM writes its policies so, and templates follow it")]

use serde_json::json;

crate::options! {
    /// A policy document.
    pub struct PolicyDocument {
        /// Version of the policy language.
        unhashed Version: Option<String>,
        /// Its statements.
        unhashed Statement: Vec<PolicyStatement>,
    }
}

crate::options! {
    /// A statement of a policy document.
    pub struct PolicyStatement {
        /// `Allow` or `Deny`.
        unhashed Effect: String,
        /// The actions.
        unhashed Action: Vec<String>,
        /// The resources.
        unhashed Resource: Vec<String>,
    }
}

impl PolicyDocument {
    /// As IAM reads it.
    pub fn json(&self) -> String {
        let statements: Vec<_> = self
            .Statement
            .iter()
            .map(|one| {
                json!({ "Effect": one.Effect, "Action": one.Action, "Resource": one.Resource })
            })
            .collect();
        let mut document = json!({ "Statement": statements });
        if let Some(version) = self.Version.as_deref().filter(|version| !version.is_empty()) {
            document["Version"] = version.into();
        }
        document.to_string()
    }
}
