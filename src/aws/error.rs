//! What went wrong in a call, and what to do about it.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Client;

/// What precedes the details that only STS can read.
const ENCODED: &str = "Encoded authorization failure message: ";

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsErrorKind {
    /// The service answered with an error code.
    Service,
    /// No credentials could be found or loaded.
    Credentials,
    /// No region is known.
    Region,
    /// The endpoint could not be reached.
    Unreachable,
    /// No answer came in time.
    Timeout,
    /// The answer could not be read, or had no error code in it.
    Malformed,
    /// The request could not be made.
    Request,
}

/// A failed call. Boxed, as every call may return it.
#[derive(Clone, Debug)]
pub struct AwsError(Box<AwsFailure>);

impl std::ops::Deref for AwsError {
    type Target = AwsFailure;

    fn deref(&self) -> &AwsFailure {
        &self.0
    }
}

impl From<AwsFailure> for AwsError {
    fn from(failure: AwsFailure) -> Self {
        Self(Box::new(failure))
    }
}

/// What is known about a failed call.
#[derive(Clone, Debug)]
pub struct AwsFailure {
    /// What kind of failure it was.
    pub kind: AwsErrorKind,
    /// The API action, such as `RunInstances`.
    pub action: &'static str,
    /// The service's prefix in IAM, such as `ec2`.
    pub service: &'static str,
    /// The service's error code, such as `InvalidAMIID.NotFound`.
    pub code: Option<String>,
    /// The service's message, or the chain of causes.
    pub message: String,
    /// The request's id, for AWS support.
    pub request_id: Option<String>,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// What the call was about: an id or a name.
    pub resource: Option<String>,
    /// The region.
    pub region: String,
    /// The endpoint, when it is not AWS's own.
    pub endpoint: Option<String>,
    /// Whether the answer to an earlier attempt of the same call was lost.
    pub earlier_unclear: bool,
}

impl AwsError {
    /// No region in the template, the environment or the profile.
    pub(super) fn no_region() -> Self {
        AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Region,
            action: "",
            service: "",
            code: None,
            message: "no AWS region is known".to_owned(),
            request_id: None,
            status: None,
            resource: None,
            region: String::new(),
            endpoint: None,
        }
        .into()
    }

    /// Whether the service's code is one of `codes`.
    pub fn is_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether the thing does not exist (any more, or not yet).
    pub fn is_not_found(&self) -> bool {
        self.code.as_deref().is_some_and(|code| {
            code.ends_with(".NotFound")
                || matches!(
                    code,
                    "InvalidAMIID.Unavailable"
                        | "ParameterNotFound"
                        | "ParameterVersionNotFound"
                        | "ResourceNotFoundException"
                        | "NoSuchEntity"
                        | "NoSuchKey"
                )
        })
    }

    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self.kind {
            AwsErrorKind::Unreachable | AwsErrorKind::Timeout | AwsErrorKind::Malformed => true,
            AwsErrorKind::Service => {
                self.status.is_some_and(|status| status >= 500)
                    || self.is_code(&[
                        "RequestLimitExceeded",
                        "Throttling",
                        "ThrottlingException",
                        "Unavailable",
                        "ServiceUnavailable",
                        "InternalError",
                        "InternalFailure",
                        "EC2ThrottledException",
                        "SlowDown",
                        // Another conditional write of the object is under way.
                        "ConditionalRequestConflict",
                        "RequestTimeout",
                    ])
            }
            AwsErrorKind::Credentials | AwsErrorKind::Region | AwsErrorKind::Request => false,
        }
    }

    /// Whether the call may have had its effect although it failed: no clear refusal came back.
    pub fn may_have_happened(&self) -> bool {
        if self.earlier_unclear {
            return true;
        }
        match self.kind {
            AwsErrorKind::Service => self.status.is_none_or(|status| status >= 500),
            AwsErrorKind::Unreachable | AwsErrorKind::Timeout | AwsErrorKind::Malformed => true,
            AwsErrorKind::Credentials | AwsErrorKind::Region | AwsErrorKind::Request => false,
        }
    }

    /// Whether it says that these credentials may not do it.
    pub fn is_denial(&self) -> bool {
        self.is_code(&[
            "UnauthorizedOperation",
            "AuthFailure",
            "AccessDenied",
            "AccessDeniedException",
        ])
    }

    /// The kind of the resource that IAM's message is about, such as `security-group` in
    /// `… on resource: arn:aws:ec2:us-east-1:123456789012:security-group/sg-1 because …`.
    pub fn denied_resource_kind(&self) -> Option<&str> {
        let resource = self.denied_resource()?.splitn(6, ':').nth(5)?;
        resource.split('/').next().filter(|kind| !kind.is_empty())
    }

    /// What the service said, for a sentence that names the call itself.
    pub fn answer(&self) -> String {
        let mut text = self.code.clone().map_or_else(String::new, |code| format!("{code}: "));
        text += self.message();
        if let Some(id) = &self.request_id {
            text += &format!(" (request id {id})");
        }
        text
    }

    /// All of it in one line, with what to do next.
    pub fn with_hints(&self) -> String {
        let mut text = self.to_string();
        for hint in self.hints() {
            text += &format!(" (hint: {hint})");
        }
        text
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        let at = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => self.region.clone(),
        };
        match self.kind {
            AwsErrorKind::Credentials => vec![
                "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws sso login`, or use `profile` in the template".to_owned(),
            ],
            AwsErrorKind::Region => vec![
                "set `region` in the template, AWS_REGION, or `region` in the profile".to_owned(),
            ],
            AwsErrorKind::Unreachable | AwsErrorKind::Timeout => vec![match &self.endpoint {
                Some(endpoint) => format!(
                    "is something listening at {endpoint}? it comes from AWS_ENDPOINT_URL, the profile or the template"
                ),
                None => format!(
                    "is `{at}` a region, and can this machine reach AWS (proxy, VPN, DNS)?"
                ),
            }],
            AwsErrorKind::Malformed => vec![format!("is `{at}` an endpoint for {}?", self.service)],
            AwsErrorKind::Request => Vec::new(),
            AwsErrorKind::Service => {
                let decode = self.encoded().map(|text| {
                    format!(
                        "which statement decides: `aws sts decode-authorization-message --encoded-message {text}`"
                    )
                });
                self.code_hint().into_iter().chain(decode).collect()
            }
        }
    }

    fn code_hint(&self) -> Option<String> {
        let code = self.code.as_deref()?;
        let hint = match code {
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
                format!("allow the IAM action `{}` to these credentials", self.denied_action())
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired: fetch new ones (for SSO: `aws sso login`)".to_owned()
            }
            "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => format!(
                "are the keys right and is region `{}` enabled for the account? a wrong clock on this machine gives this error too",
                self.region
            ),
            "OptInRequired" => {
                "accept the terms of the marketplace image or enable the region in the account"
                    .to_owned()
            }
            "VcpuLimitExceeded" | "InstanceLimitExceeded" => {
                "ask for a higher quota (Service Quotas: Running On-Demand instances) or choose a smaller `instance_type`".to_owned()
            }
            "InsufficientInstanceCapacity" | "InsufficientHostCapacity" => {
                "try again, or choose another `availability_zone`, `subnet_id` or `instance_type`"
                    .to_owned()
            }
            "Unsupported" | "InvalidParameterCombination" => {
                "does the zone offer this `instance_type`, and does it fit the source image (architecture, ENA, boot mode)?".to_owned()
            }
            "VPCIdNotSpecified" | "DefaultVpcDoesNotExist" => {
                "the account has no default VPC in this region: set `subnet_id` or `vpc_id`"
                    .to_owned()
            }
            "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed" => format!(
                "image ids differ between regions: is it in `{}`, and shared with this account?",
                self.region
            ),
            "InvalidAMIName.Duplicate" => {
                "choose another `ami_name`, or use -force to replace the image of that name"
                    .to_owned()
            }
            "InvalidSubnetID.NotFound" => "check `subnet_id` and the region".to_owned(),
            "InvalidVpcID.NotFound" => "check `vpc_id` and the region".to_owned(),
            "InvalidGroup.NotFound" | "InvalidGroupId.Malformed" => {
                "check `security_group_ids`: they must be in the VPC of the subnet".to_owned()
            }
            "InvalidKeyPair.NotFound" => {
                "check `ssh_keypair_name`: key pairs belong to one region".to_owned()
            }
            "InvalidParameterValue" if self.message.contains("iamInstanceProfile") => {
                "check `iam_instance_profile`: the name of an instance profile, not of a role"
                    .to_owned()
            }
            "InvalidParameterValue" if self.message.contains("InstanceType") => {
                "check `instance_type`".to_owned()
            }
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" => {
                "the account's API rate is used up; try later or raise `max_retries`".to_owned()
            }
            "NoSuchBucket" => {
                "check the bucket's name (`ssm_bucket` in the template, `-records`): it must exist, and these credentials must be able to use it"
                    .to_owned()
            }
            "PendingVerification" => "AWS is still verifying the account; try later".to_owned(),
            _ => return None,
        };
        Some(hint)
    }

    /// The action that is denied, such as `ec2:RunInstances`. It need not be the one that was
    /// called: RunInstances may be denied for `ec2:CreateTags`.
    pub fn denied_action(&self) -> String {
        let named = || {
            let (_, rest) = self.message.split_once("not authorized to perform: ")?;
            let action = rest.split([' ', ',']).next()?.trim_end_matches('.');
            action.contains(':').then(|| action.to_owned())
        };
        named().unwrap_or_else(|| format!("{}:{}", self.service, self.action))
    }

    /// The ARN of whom IAM's message denies it to.
    pub fn denied_principal(&self) -> Option<&str> {
        let (who, _) = self.message.split_once(" is not authorized to perform")?;
        let (_, who) = who.rsplit_once("User: ")?;
        who.starts_with("arn:").then_some(who)
    }

    /// The ARN of what IAM's message denies it on.
    fn denied_resource(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once(" on resource: ")?;
        let resource = rest.split_whitespace().next()?;
        resource.starts_with("arn:").then_some(resource)
    }

    /// The details that only STS can read, where the message has them.
    fn encoded(&self) -> Option<&str> {
        let (_, text) = self.message.split_once(ENCODED)?;
        text.split_whitespace().next()
    }

    /// The message without those details, which are a thousand letters.
    fn message(&self) -> &str {
        let plain = self.message.split_once(ENCODED).map(|(plain, _)| plain);
        plain.unwrap_or(&self.message).trim_end()
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.action.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}", self.action)?;
        if let Some(resource) = &self.resource {
            write!(f, " of `{resource}`")?;
        }
        match &self.endpoint {
            Some(endpoint) => write!(f, " failed at {endpoint} ({})", self.region)?,
            None => write!(f, " failed in {}", self.region)?,
        }
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        write!(f, ": {}", self.message())?;
        match &self.request_id {
            Some(id) => write!(f, " (request id {id})"),
            None => Ok(()),
        }
    }
}

impl Error for AwsError {}

impl Client {
    /// As [`Self::failed`], for a call about some or all things of a kind.
    pub(super) fn failed_for<E>(
        &self,
        action: &'static str,
        ids: &[String],
        error: SdkError<E, HttpResponse>,
    ) -> AwsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let what = (!ids.is_empty()).then(|| ids.join(", "));
        self.failed("ec2", action, what.as_deref(), error)
    }

    /// Makes an error out of the SDK's, whose own text says only `service error`.
    pub(super) fn failed<E>(
        &self,
        service: &'static str,
        action: &'static str,
        resource: Option<&str>,
        error: SdkError<E, HttpResponse>,
    ) -> AwsError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        use aws_sdk_ec2::operation::RequestId as _;

        let request_id = error.request_id().map(ToOwned::to_owned);
        let status = error.raw_response().map(|response| response.status().as_u16());
        let earlier_unclear = error.raw_response().is_some_and(super::attempts::was_unclear);
        let code = error.code().map(ToOwned::to_owned);
        let service_message = error.message().map(ToOwned::to_owned);
        let kind = match &error {
            SdkError::ServiceError(_) if code.is_some() => AwsErrorKind::Service,
            SdkError::ServiceError(_) | SdkError::ResponseError(_) => AwsErrorKind::Malformed,
            SdkError::TimeoutError(_) => AwsErrorKind::Timeout,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => AwsErrorKind::Timeout,
            SdkError::DispatchFailure(failure) if failure.is_io() => AwsErrorKind::Unreachable,
            SdkError::DispatchFailure(_) => AwsErrorKind::Credentials,
            SdkError::ConstructionFailure(_) => AwsErrorKind::Request,
            _ => AwsErrorKind::Request,
        };
        let chain = chain(&error);
        // The SDK reports missing credentials and broken connections through one variant.
        let kind = match kind {
            AwsErrorKind::Credentials if !mentions_credentials(&chain) => AwsErrorKind::Unreachable,
            AwsErrorKind::Unreachable | AwsErrorKind::Request if mentions_credentials(&chain) => {
                AwsErrorKind::Credentials
            }
            kind => kind,
        };
        AwsFailure {
            earlier_unclear,
            kind,
            action,
            service,
            code,
            message: service_message.unwrap_or(chain),
            request_id,
            status,
            resource: resource.map(ToOwned::to_owned),
            region: self.region().to_owned(),
            endpoint: self.endpoint().map(ToOwned::to_owned),
        }
        .into()
    }

    /// An answer without the part that it must have.
    pub(super) fn incomplete(
        &self,
        service: &'static str,
        action: &'static str,
        missing: &str,
    ) -> AwsError {
        let message = format!("the answer has no {missing}");
        self.failure(AwsErrorKind::Malformed, service, action, None, message)
    }

    /// A failure that no answer of the service tells.
    pub(crate) fn failure(
        &self,
        kind: AwsErrorKind,
        service: &'static str,
        action: &'static str,
        resource: Option<&str>,
        message: String,
    ) -> AwsError {
        AwsFailure {
            earlier_unclear: false,
            kind,
            action,
            service,
            code: None,
            message,
            request_id: None,
            status: None,
            resource: resource.map(ToOwned::to_owned),
            region: self.region().to_owned(),
            endpoint: self.endpoint().map(ToOwned::to_owned),
        }
        .into()
    }
}

fn mentions_credentials(chain: &str) -> bool {
    let chain = chain.to_lowercase();
    chain.contains("credential") || chain.contains("identity") || chain.contains("sso token")
}

/// What the SDK's layers say about themselves rather than about what happened.
const HOLLOW: &[&str] = &["dispatch failure", "io error", "other"];

/// The causes from the outermost to the root, without repeating one.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let is_news = parts.last().is_none_or(|last| !last.contains(&text));
        if is_news && !HOLLOW.contains(&text.as_str()) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: &str) -> AwsError {
        AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Service,
            action: "RunInstances",
            service: "ec2",
            code: Some("UnauthorizedOperation".to_owned()),
            message: message.to_owned(),
            request_id: Some("r-1".to_owned()),
            status: Some(403),
            resource: None,
            region: "eu-west-1".to_owned(),
            endpoint: None,
        }
        .into()
    }

    #[test]
    fn a_denial_says_what_is_denied_to_whom_and_how_to_learn_more() {
        let error = refusal(
            "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-west-1:123456789012:instance/* because no identity-based policy allows the ec2:CreateTags action. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdef",
        );
        assert!(error.is_denial());
        assert_eq!(error.denied_action(), "ec2:CreateTags");
        assert_eq!(error.denied_principal(), Some("arn:aws:iam::123456789012:user/ci"));
        assert_eq!(error.denied_resource_kind(), Some("instance"));
        assert!(!error.to_string().contains("4GIOHlTk"), "{error}");
        insta::assert_snapshot!(error.answer(), @"UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-west-1:123456789012:instance/* because no identity-based policy allows the ec2:CreateTags action. (request id r-1)");
        insta::assert_snapshot!(error.hints().join("\n"), @"
        allow the IAM action `ec2:CreateTags` to these credentials
        which statement decides: `aws sts decode-authorization-message --encoded-message 4GIOHlTkIaWHQD0Q0m6XSnuUMCm-abcdef`
        ");
    }

    #[test]
    fn a_denial_without_details_is_about_the_call() {
        let error = refusal("You are not authorized to perform this operation.");
        assert_eq!(error.denied_action(), "ec2:RunInstances");
        assert_eq!((error.denied_principal(), error.denied_resource_kind()), (None, None));
        insta::assert_snapshot!(error.hints().join("\n"), @"allow the IAM action `ec2:RunInstances` to these credentials");
    }
}
