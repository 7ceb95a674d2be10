//! The policy of a temporary instance profile: declared, not done yet.

#![allow(non_snake_case, reason = "IAM writes its policies so, and templates follow it")]

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
