//! The credential scope of a request: which region it is for.
//!
//! Signatures themselves are not checked: the sandbox knows no secrets, and
//! takes any. A request without one is refused, as it would be on AWS.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::query::Params;
use crate::sandbox::cloud::{CloudError, is_region};

/// Who signed for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) access_key: String,
    pub(super) region: String,
}

/// Reads the scope from the header, or from the parameters of a presigned request.
pub(super) fn scope(
    headers: &HeaderMap,
    params: &Params,
    required: Option<&str>,
) -> Result<Scope, CloudError> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = header
        .and_then(|text| text.strip_prefix("AWS4-HMAC-SHA256 "))
        .and_then(|text| text.split(',').find_map(|part| part.trim().strip_prefix("Credential=")))
        .or_else(|| params.text("X-Amz-Credential"));
    let refused = || {
        CloudError::new(
            "AuthFailure",
            "AWS was not able to validate the provided access credentials",
        )
    };
    let mut parts = credential.ok_or_else(refused)?.split('/');
    let access_key = parts.next().ok_or_else(refused)?.to_owned();
    if required.is_some_and(|required| body_of(required) != body_of(&access_key)) {
        return Err(refused());
    }
    let region = parts.nth(1).ok_or_else(refused)?.to_owned();
    if !is_region(&region) {
        return Err(CloudError::new(
            "AuthFailure",
            format!("Credential should be scoped to a valid region: there is no `{region}`"),
        ));
    }
    Ok(Scope { access_key, region })
}

/// An access key without its kind: the temporary key of a role (`ASIA`) has the rest of the key
/// that it was asked for with (`AKIA`).
pub(super) fn body_of(access_key: &str) -> &str {
    let body = access_key.strip_prefix("AKIA").or_else(|| access_key.strip_prefix("ASIA"));
    body.unwrap_or(access_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Result<Scope, CloudError> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = header.parse() {
            headers.insert(AUTHORIZATION, value);
        }
        scope(&headers, &Params::default(), None)
    }

    #[test]
    fn region_of_a_signed_request() {
        let found = of(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00",
        );
        let expected = Scope { access_key: "AKIDEXAMPLE".into(), region: "eu-west-1".into() };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn unsigned_and_misdirected_requests_are_refused() {
        for header in [
            "",
            "Bearer x",
            "AWS4-HMAC-SHA256 Credential=A",
            "AWS4-HMAC-SHA256 Credential=A/1/us-east-9/ec2/aws4_request",
        ] {
            assert!(of(header).is_err_and(|error| error.code == "AuthFailure"), "{header}");
        }
    }
}
