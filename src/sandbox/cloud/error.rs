//! An error as EC2 gives it: a code, a sentence, an HTTP status.

use std::borrow::Cow;

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CloudError {
    /// EC2's code, such as `InvalidAMIID.NotFound`.
    pub code: Cow<'static, str>,
    /// One sentence.
    pub message: String,
}

impl CloudError {
    /// An error of any code.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// A parameter is required and was not given.
    pub fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    /// A parameter has a value that EC2 does not take.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// As [`CloudError::invalid`], in the words that EC2 uses for one bad value.
    pub fn invalid_value(parameter: &str, value: &str) -> Self {
        Self::invalid(format!("Value ({value}) for parameter {parameter} is invalid."))
    }

    /// Parameters that do not go together.
    pub fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// Something went wrong on this side.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalError", message)
    }

    /// The dry run's way to say yes.
    pub fn dry_run() -> Self {
        Self::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    }

    /// The HTTP status that goes with the code.
    pub fn status(&self) -> u16 {
        match self.code.as_ref() {
            "DryRunOperation" | "PreconditionFailed" => 412,
            "NoSuchEntity" | "NoSuchBucket" | "NoSuchKey" => 404,
            "EntityAlreadyExists" | "DeleteConflict" | "LimitExceeded" => 409,
            "AuthFailure" => 401,
            "UnauthorizedOperation" | "AccessDenied" => 403,
            "InternalError" | "InsufficientInstanceCapacity" => 500,
            "RequestLimitExceeded" | "SlowDown" | "Unavailable" | "ServiceUnavailable" => 503,
            _ => 400,
        }
    }
}
