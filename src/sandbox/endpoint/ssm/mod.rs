//! Systems Manager's JSON protocol: public parameters, Run Command and Session Manager.

mod agents;
mod commands;
mod parameters;
mod request;
mod sessions;

use serde_json::Value;

use self::request::Request;
use super::sessions::Sessions;
use crate::sandbox::cloud::{Cloud, CloudError};

type Handler = fn(&Request<'_>) -> Result<Value, CloudError>;

/// The one table from the name of an action to what does it.
const ACTIONS: &[(&str, Handler)] = &[
    ("CancelCommand", commands::cancel_command),
    ("DescribeInstanceInformation", agents::describe_instance_information),
    ("DescribeSessions", sessions::describe_sessions),
    ("GetCommandInvocation", commands::get_command_invocation),
    ("GetConnectionStatus", agents::get_connection_status),
    ("GetParameter", parameters::get_parameter),
    ("GetParameters", parameters::get_parameters),
    ("ListCommandInvocations", commands::list_command_invocations),
    ("ListCommands", commands::list_commands),
    ("ResumeSession", sessions::resume_session),
    ("SendCommand", commands::send_command),
    ("StartSession", sessions::start_session),
    ("TerminateSession", sessions::terminate_session),
];

/// Who asks, and how data channels can be reached.
pub(super) struct Caller<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) sessions: &'a Sessions,
    pub(super) region: &'a str,
    /// `host:port` of the endpoint.
    pub(super) authority: &'a str,
    /// Whether a session cannot be resumed, by a fault on purpose.
    pub(super) empty_token: bool,
}

/// Whether there is such an action.
pub(super) fn knows(action: &str) -> bool {
    ACTIONS.iter().any(|(name, _)| *name == action)
}

/// Answers an action of `X-Amz-Target: AmazonSSM.…`.
pub(super) fn act(caller: &Caller<'_>, action: &str, body: &[u8]) -> Result<Value, CloudError> {
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        CloudError::new("SerializationException", format!("the body is not JSON: {error}"))
    })?;
    let Some((_, handler)) = ACTIONS.iter().find(|(name, _)| *name == action) else {
        return Err(CloudError::new(
            "UnknownOperationException",
            format!("The sandbox does not know the action {action}."),
        ));
    };
    handler(&Request {
        cloud: caller.cloud,
        sessions: caller.sessions,
        region: caller.region,
        authority: caller.authority,
        empty_token: caller.empty_token,
        body: &body,
    })
}
