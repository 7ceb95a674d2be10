//! One call: what a handler gets, and what it gives.

use sha2::{Digest as _, Sha256};

use super::query::Params;
use super::xml::Fields;
use crate::sandbox::cloud::{ClientToken, Cloud, CloudError, Session};

/// The fields of the answer, or an error.
pub(super) type Answer = Result<Fields, CloudError>;

/// What does an action.
pub(super) type Handler = fn(&Call<'_>) -> Answer;

/// A decoded request.
pub(super) struct Call<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) region: &'a str,
    pub(super) access_key: &'a str,
    pub(super) params: &'a Params,
}

impl Call<'_> {
    /// Does something in the cloud; with `DryRun`, nothing of it counts.
    pub(super) fn request<R>(
        &self,
        act: impl FnOnce(&mut Session<'_>) -> Result<R, CloudError>,
    ) -> Result<R, CloudError> {
        self.cloud.request(self.region, self.params.is_set("DryRun")?, act)
    }

    /// `ClientToken`, with a digest of all that it stands for.
    pub(super) fn client_token(&self) -> Option<ClientToken> {
        let token = self.params.owned("ClientToken")?;
        let canonical = self.params.canonical(&["ClientToken", "DryRun", "Version"]);
        let digest = Sha256::digest(canonical);
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(ClientToken { token, digest })
    }
}

/// The answer of actions that have nothing to say.
pub(super) fn done() -> Answer {
    Ok(Fields::new().text("return", true))
}
