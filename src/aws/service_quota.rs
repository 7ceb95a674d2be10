//! Service Quotas: how many vCPUs may run at a time.
//!
//! One request of a JSON protocol does not need another SDK: it is signed here and goes through the
//! SDK's HTTP client.

use std::convert::Infallible;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::{AwsError, AwsErrorKind, AwsFailure, Client};

/// The service in signatures and IAM.
const SERVICE: &str = "servicequotas";
const ACTION: &str = "GetServiceQuota";
const TARGET: &str = "ServiceQuotasV20190624.GetServiceQuota";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// How long an answer may take: no build waits longer for a number that it can do without.
const PATIENCE: Duration = Duration::from_secs(5);

/// A quota of the vCPUs of running on-demand instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuQuota {
    /// `L-…`
    pub code: &'static str,
    /// Its name in the console.
    pub name: &'static str,
    /// What names of instance types begin with, before the first digit.
    families: &'static [&'static str],
}

/// The quotas; see `Amazon EC2 instance type quotas` in EC2's guide. Dedicated hosts, and with them
/// `mac`, have others.
const QUOTAS: &[VcpuQuota] = &[
    VcpuQuota {
        code: "L-1216C47A",
        name: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        families: &["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"],
    },
    VcpuQuota { code: "L-74FC7D96", name: "Running On-Demand F instances", families: &["f"] },
    VcpuQuota {
        code: "L-DB2E81BA",
        name: "Running On-Demand G and VT instances",
        families: &["g", "gr", "vt"],
    },
    VcpuQuota {
        code: "L-43DA4232",
        name: "Running On-Demand High Memory instances",
        families: &["u"],
    },
    VcpuQuota { code: "L-F7808C92", name: "Running On-Demand HPC instances", families: &["hpc"] },
    VcpuQuota { code: "L-1945791B", name: "Running On-Demand Inf instances", families: &["inf"] },
    VcpuQuota { code: "L-417A185B", name: "Running On-Demand P instances", families: &["p"] },
    VcpuQuota { code: "L-2C3B7624", name: "Running On-Demand Trn instances", families: &["trn"] },
    VcpuQuota { code: "L-6E869C2A", name: "Running On-Demand DL instances", families: &["dl"] },
    VcpuQuota { code: "L-7295265B", name: "Running On-Demand X instances", families: &["x"] },
];

impl VcpuQuota {
    /// The quota that an instance type falls under; `None` when that is not known.
    pub fn of(instance_type: &str) -> Option<&'static Self> {
        let end = instance_type.find(|c: char| !c.is_ascii_lowercase())?;
        let family = instance_type.get(..end)?;
        QUOTAS.iter().find(|quota| quota.families.contains(&family))
    }

    /// The quota of a code.
    pub fn with_code(code: &str) -> Option<&'static Self> {
        QUOTAS.iter().find(|quota| quota.code == code)
    }
}

/// An answer of the service.
#[derive(Debug)]
struct Answer {
    status: u16,
    request_id: Option<String>,
    body: Value,
}

impl Client {
    /// The value of a quota, by one call that is not repeated.
    ///
    /// # Errors
    /// When the service refuses it, cannot be reached in time, or is not the one of this cloud.
    pub async fn quota(&self, quota: &VcpuQuota) -> Result<f64, AwsError> {
        let failed =
            |kind, message: String| self.failure(kind, SERVICE, ACTION, Some(quota.code), message);
        if self.has_ec2_endpoint_only() {
            let message = "the quotas of AWS are not those of the endpoint".to_owned();
            return Err(failed(AwsErrorKind::Request, message));
        }
        let url = self.quotas_url();
        let body = json!({ "ServiceCode": "ec2", "QuotaCode": quota.code }).to_string();
        let headers = self.signed(&url, &body, quota).await?;
        let mut operation = Operation::builder()
            .service_name(SERVICE)
            .operation_name(ACTION)
            .endpoint_url(&url)
            .no_auth()
            .no_retry()
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build());
        if let Some(http) = &self.http {
            operation = operation.http_client(http.clone());
        }
        let operation =
            operation
                .serializer(move |body: String| {
                    let mut request = HttpRequest::new(SdkBody::from(body));
                    request.set_method("POST")?;
                    request.set_uri("/")?;
                    for (name, value) in headers.clone() {
                        request.headers_mut().try_insert(name, value)?;
                    }
                    Ok(request)
                })
                .deserializer(|response: &HttpResponse| {
                    let bytes = response.body().bytes().unwrap_or_default();
                    Ok::<
                        _,
                        aws_smithy_runtime_api::client::orchestrator::OrchestratorError<Infallible>,
                    >(Answer {
                        status: response.status().as_u16(),
                        request_id: response
                            .headers()
                            .get("x-amzn-requestid")
                            .map(ToOwned::to_owned),
                        body: serde_json::from_slice(bytes).unwrap_or_default(),
                    })
                })
                .build();
        let answer = operation
            .invoke(body)
            .boxed()
            .await
            .map_err(|error| failed(AwsErrorKind::Unreachable, super::error::chain(&error)))?;
        if answer.status >= 300 {
            return Err(self.refused(quota, &answer));
        }
        let value = answer.body.pointer("/Quota/Value").and_then(Value::as_f64);
        value.ok_or_else(|| self.incomplete(SERVICE, ACTION, "value"))
    }

    fn quotas_url(&self) -> String {
        let suffix =
            if self.region().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match &self.all_services {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{SERVICE}.{}.{suffix}/", self.region()),
        }
    }

    fn refused(&self, quota: &VcpuQuota, answer: &Answer) -> AwsError {
        let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
        // `com.amazonaws.…#AccessDeniedException`, as some services write it.
        let code = text("__type").map(|code| code.rsplit('#').next().unwrap_or(code).to_owned());
        let kind = if code.is_some() { AwsErrorKind::Service } else { AwsErrorKind::Malformed };
        let message = text("message").or(text("Message")).unwrap_or("no message");
        AwsFailure {
            earlier_unclear: false,
            kind,
            action: ACTION,
            service: SERVICE,
            code,
            message: message.to_owned(),
            request_id: answer.request_id.clone(),
            status: Some(answer.status),
            resource: Some(quota.code.to_owned()),
            region: self.region().to_owned(),
            endpoint: self.all_services.clone(),
        }
        .into()
    }

    /// The headers of a request, its signature among them.
    async fn signed(
        &self,
        url: &str,
        body: &str,
        quota: &VcpuQuota,
    ) -> Result<Vec<(String, String)>, AwsError> {
        let failed = |kind, message: String| -> AwsError {
            self.failure(kind, SERVICE, ACTION, Some(quota.code), message)
        };
        let Some(provider) = &self.credentials else {
            let message = "no credentials are known".to_owned();
            return Err(failed(AwsErrorKind::Credentials, message));
        };
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| failed(AwsErrorKind::Credentials, super::error::chain(&error)))?;
        #[expect(clippy::disallowed_methods, reason = "a signature is of the moment it is made")]
        let now = std::time::SystemTime::now();
        signature(url, body, credentials, self.region(), now)
            .map_err(|message| failed(AwsErrorKind::Request, message))
    }
}

fn signature(
    url: &str,
    body: &str,
    credentials: aws_credential_types::Credentials,
    region: &str,
    time: std::time::SystemTime,
) -> Result<Vec<(String, String)>, String> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let own = [("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
    let body = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new("POST", url, own.into_iter(), body)
        .map_err(|error| error.to_string())?;
    let (instructions, _) =
        sign(request, &parameters).map_err(|error| error.to_string())?.into_parts();
    let signed = instructions.headers();
    Ok(own
        .into_iter()
        .chain(signed)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_quota() {
        let code = |name: &str| VcpuQuota::of(name).map(|quota| quota.code);
        for name in
            ["t3.micro", "c7gn.large", "m5.24xlarge", "im4gn.large", "is4gen.medium", "z1d.large"]
        {
            assert_eq!(code(name), Some("L-1216C47A"), "{name}");
        }
        for (name, expected) in [
            ("f2.6xlarge", "L-74FC7D96"),
            ("g4dn.xlarge", "L-DB2E81BA"),
            ("gr6.4xlarge", "L-DB2E81BA"),
            ("vt1.3xlarge", "L-DB2E81BA"),
            ("u-6tb1.metal", "L-43DA4232"),
            ("u7i-12tb.224xlarge", "L-43DA4232"),
            ("hpc7g.4xlarge", "L-F7808C92"),
            ("inf2.xlarge", "L-1945791B"),
            ("p5.48xlarge", "L-417A185B"),
            ("trn1.2xlarge", "L-2C3B7624"),
            ("dl1.24xlarge", "L-6E869C2A"),
            ("x2idn.16xlarge", "L-7295265B"),
        ] {
            assert_eq!(code(name), Some(expected), "{name}");
        }
        for name in ["mac2.metal", "quantum1.large", "", "t", "3"] {
            assert_eq!(code(name), None, "{name}");
        }
    }

    #[test]
    fn a_request_is_signed_with_what_it_asks() {
        let keys = aws_credential_types::Credentials::new("AKID", "secret", None, None, "test");
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let sign = |body: &str| {
            let url = "https://servicequotas.eu-west-1.amazonaws.com/";
            signature(url, body, keys.clone(), "eu-west-1", time).expect("signed")
        };
        let headers = sign("{}");
        let authorization = headers.iter().find(|(name, _)| name == "authorization");
        let (_, authorization) = authorization.expect("is there");
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/servicequotas/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="), "{authorization}");
        assert_ne!(headers, sign("{} "), "the body is signed, too");
    }
}
