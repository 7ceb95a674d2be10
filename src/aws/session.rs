//! Sessions of Session Manager.

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{AwsError, AwsErrorKind, Client};
use crate::communicator::ssm::{
    OpenedSession, SessionError, SessionErrorKind, Sessions, StartSession, StreamHosts,
};

/// The service that signatures of the data channel are for.
const MESSAGES: &str = "ssmmessages";

impl Client {
    /// Starts a session.
    pub async fn start_session(&self, start: &StartSession) -> Result<OpenedSession, AwsError> {
        const ACTION: &str = "StartSession";
        let mut call = self
            .ssm
            .start_session()
            .target(&start.target)
            .document_name(start.document)
            .reason(&start.reason);
        for (name, value) in &start.parameters {
            call = call.parameters(*name, vec![value.clone()]);
        }
        let output = call
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", ACTION, Some(&start.target), error))?;
        let missing = |what| self.incomplete("ssm", ACTION, what);
        Ok(OpenedSession {
            id: output.session_id.ok_or_else(|| missing("session id"))?,
            token: output.token_value.ok_or_else(|| missing("token"))?,
            stream_url: output.stream_url.ok_or_else(|| missing("stream URL"))?,
        })
    }

    /// A new token for a session. It is empty when the session has timed out.
    pub async fn resume_session(&self, id: &str) -> Result<OpenedSession, AwsError> {
        let output = self
            .ssm
            .resume_session()
            .session_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "ResumeSession", Some(id), error))?;
        Ok(OpenedSession {
            id: output.session_id.unwrap_or_else(|| id.to_owned()),
            token: output.token_value.unwrap_or_default(),
            stream_url: output.stream_url.unwrap_or_default(),
        })
    }

    /// Ends a session; nothing happens when it has ended.
    pub async fn terminate_session(&self, id: &str) -> Result<(), AwsError> {
        self.ssm
            .terminate_session()
            .session_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "TerminateSession", Some(id), error))?;
        Ok(())
    }

    /// Whether the agent of an instance is connected to the service now. This is fresher than its
    /// last ping.
    pub async fn is_agent_connected(&self, instance: &str) -> Result<bool, AwsError> {
        let output =
            self.ssm.get_connection_status().target(instance).send().boxed().await.map_err(
                |error| self.failed("ssm", "GetConnectionStatus", Some(instance), error),
            )?;
        Ok(output.status.is_some_and(|status| status.as_str() == "connected"))
    }

    /// Headers that sign the upgrade of a session's WebSocket, with credentials fetched now. None
    /// when the URL carries a signature.
    pub async fn sign_data_channel(&self, url: &str) -> Result<Vec<(String, String)>, AwsError> {
        if url.to_ascii_lowercase().contains("x-amz-") {
            return Ok(Vec::new());
        }
        let failed = |kind: AwsErrorKind, message: String| {
            self.failure(kind, MESSAGES, "OpenDataChannel", None, message)
        };
        let credentials = match &self.credentials {
            Some(provider) => provider
                .provide_credentials()
                .await
                .map_err(|error| failed(AwsErrorKind::Credentials, super::error::chain(&error)))?,
            None => {
                let message = "no credentials are known".to_owned();
                return Err(failed(AwsErrorKind::Credentials, message));
            }
        };
        #[expect(clippy::disallowed_methods, reason = "a signature is of the moment it is made")]
        let now = std::time::SystemTime::now();
        signature(url, credentials, self.region(), now)
            .map_err(|message| failed(AwsErrorKind::Request, message))
    }
}

/// Only `host`, the date and the session token are signed, of an empty body. The query is decoded
/// as a form and encoded anew for it, while the URL is sent as it is.
fn signature(
    url: &str,
    credentials: aws_credential_types::Credentials,
    region: &str,
    time: std::time::SystemTime,
) -> Result<Vec<(String, String)>, String> {
    // The host's default port is to be left out, which the signer knows for these schemes.
    let url = match url.split_once("://") {
        Some(("wss", rest)) => format!("https://{rest}"),
        Some(("ws", rest)) => format!("http://{rest}"),
        _ => return Err("the session's address is not for a WebSocket".to_owned()),
    };
    if url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::len)).is_none() {
        return Err("the session's address has no host".to_owned());
    }
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(MESSAGES)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let request =
        SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))
            .map_err(|error| error.to_string())?;
    let (instructions, _) =
        sign(request, &parameters).map_err(|error| error.to_string())?.into_parts();
    let headers = instructions.headers();
    Ok(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// In the words of the communicator.
pub(super) fn session_error(error: &AwsError) -> SessionError {
    let kind = match error.code.as_deref() {
        // The second is SendCommand's: the agent has not registered, or no permission.
        Some("TargetNotConnected" | "InvalidInstanceId") => SessionErrorKind::TargetNotConnected,
        Some("AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation") => {
            SessionErrorKind::Denied
        }
        Some("ExpiredTokenException" | "ExpiredToken" | "RequestExpired") => {
            SessionErrorKind::CredentialsExpired
        }
        Some("DoesNotExistException") => SessionErrorKind::Gone,
        _ if error.is_transient() => SessionErrorKind::Transient,
        _ => SessionErrorKind::Fatal,
    };
    let mut converted = SessionError::new(kind, error.to_string());
    converted.hints.extend(error.hints());
    converted
}

impl From<AwsError> for SessionError {
    fn from(error: AwsError) -> Self {
        session_error(&error)
    }
}

impl Sessions for Client {
    fn start(&self, start: StartSession) -> BoxFuture<'_, Result<OpenedSession, SessionError>> {
        async move { self.start_session(&start).await.map_err(|error| session_error(&error)) }
            .boxed()
    }

    fn resume(&self, id: String) -> BoxFuture<'_, Result<OpenedSession, SessionError>> {
        async move { self.resume_session(&id).await.map_err(|error| session_error(&error)) }.boxed()
    }

    fn terminate(&self, id: String) -> BoxFuture<'_, Result<(), SessionError>> {
        async move { self.terminate_session(&id).await.map_err(|error| session_error(&error)) }
            .boxed()
    }

    fn sign(&self, url: String) -> BoxFuture<'_, Result<Vec<(String, String)>, SessionError>> {
        async move { self.sign_data_channel(&url).await.map_err(|error| session_error(&error)) }
            .boxed()
    }

    fn hosts(&self) -> StreamHosts {
        if self.own_cloud { StreamHosts::Own } else { StreamHosts::Aws }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    use aws_credential_types::Credentials;
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use serde_json::Value;

    use super::super::{Access, OwnCloud};
    use super::*;
    use crate::template::schema::Secret;

    /// A Systems Manager that answers one call after the other, and keeps what it was asked.
    #[derive(Clone, Debug, Default)]
    pub(in crate::aws) struct FakeSsm {
        answers: Arc<Mutex<Vec<(u16, Value)>>>,
        asked: Arc<Mutex<Vec<(String, Value)>>>,
    }

    impl FakeSsm {
        /// The client, and what it will have asked.
        pub(in crate::aws) async fn client(mut answers: Vec<(u16, Value)>) -> (Client, Self) {
            answers.reverse();
            let fake = Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() };
            let connector = fake.clone();
            let cloud =
                OwnCloud { url: "http://127.0.0.1:1".to_owned(), access_key: Secret::new("AKID") };
            let mut access = Access::default().in_own(&cloud);
            access.max_retries = Some(1);
            access.http =
                Some(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())));
            (Client::connect(&access).await.unwrap(), fake)
        }

        /// The actions and bodies so far.
        pub(in crate::aws) fn asked(&self) -> Vec<(String, Value)> {
            self.asked.lock().unwrap().clone()
        }
    }

    impl HttpConnector for FakeSsm {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let action = target.strip_prefix("AmazonSSM.").unwrap_or(target).to_owned();
            let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
            self.asked.lock().unwrap().push((action, body));
            let (status, answer) = self.answers.lock().unwrap().pop().unwrap();
            let body = SdkBody::from(answer.to_string());
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), body)))
        }
    }

    #[tokio::test]
    async fn a_session_is_started_resumed_and_ended() {
        let opened = serde_json::json!({
            "SessionId": "me-1", "TokenValue": "secret-token", "StreamUrl": "ws://127.0.0.1:1/x",
        });
        let (client, fake) = FakeSsm::client(vec![
            (200, opened),
            (200, serde_json::json!({"SessionId": "me-1", "StreamUrl": ""})),
            (200, serde_json::json!({"SessionId": "me-1"})),
            (200, serde_json::json!({"Target": "i-1", "Status": "connected"})),
            (400, serde_json::json!({"__type": "TargetNotConnected", "message": "i-1 is not connected."})),
        ])
        .await;
        let start = StartSession::port_forwarding("i-1", 22);
        let opened = Sessions::start(&client, start.clone()).await.unwrap();
        assert_eq!((opened.id.as_str(), opened.token.as_str()), ("me-1", "secret-token"));
        assert!(!format!("{opened:?}").contains("secret-token"));
        let resumed = Sessions::resume(&client, "me-1".to_owned()).await.unwrap();
        assert_eq!(resumed.token, "", "it has timed out");
        Sessions::terminate(&client, "me-1".to_owned()).await.unwrap();
        assert!(client.is_agent_connected("i-1").await.unwrap());
        let error = Sessions::start(&client, start).await.unwrap_err();
        assert_eq!(error.kind, SessionErrorKind::TargetNotConnected);
        assert_eq!(client.hosts(), StreamHosts::Own);
        let signed = client.sign_data_channel("ws://127.0.0.1:1/x?role=y").await.unwrap();
        assert!(signed.iter().any(|(name, _)| name == "authorization"));
        assert!(client.sign_data_channel("wss://x/?X-Amz-Signature=1").await.unwrap().is_empty());
        let asked = fake.asked();
        let actions: Vec<_> = asked.iter().map(|(action, _)| action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "StartSession",
                "ResumeSession",
                "TerminateSession",
                "GetConnectionStatus",
                "StartSession"
            ]
        );
        assert_eq!(
            asked[0].1,
            serde_json::json!({
                "Target": "i-1",
                "DocumentName": "AWS-StartPortForwardingSession",
                "Reason": "bake",
                "Parameters": {"portNumber": ["22"], "localPortNumber": ["0"]},
            })
        );
    }

    fn failure(code: &str) -> AwsError {
        crate::aws::AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Service,
            action: "StartSession",
            service: "ssm",
            code: Some(code.to_owned()),
            message: "i-1 is not connected.".to_owned(),
            request_id: None,
            status: Some(400),
            resource: Some("i-1".to_owned()),
            region: "eu-west-1".to_owned(),
            endpoint: None,
        }
        .into()
    }

    #[test]
    fn codes_become_kinds() {
        let kind = |code| session_error(&failure(code)).kind;
        assert_eq!(kind("TargetNotConnected"), SessionErrorKind::TargetNotConnected);
        assert_eq!(kind("InvalidInstanceId"), SessionErrorKind::TargetNotConnected);
        assert_eq!(kind("AccessDeniedException"), SessionErrorKind::Denied);
        assert_eq!(kind("ExpiredTokenException"), SessionErrorKind::CredentialsExpired);
        assert_eq!(kind("DoesNotExistException"), SessionErrorKind::Gone);
        assert_eq!(kind("ThrottlingException"), SessionErrorKind::Transient);
        assert_eq!(kind("InvalidDocument"), SessionErrorKind::Fatal);
        let error = session_error(&failure("TargetNotConnected"));
        assert_eq!(
            error.to_string(),
            "StartSession of `i-1` failed in eu-west-1: TargetNotConnected: i-1 is not connected."
        );
        assert!(error.hints.iter().any(|hint| hint.contains("AmazonSSMManagedInstanceCore")));
    }

    #[test]
    fn the_signature_is_over_host_date_and_token_of_the_decoded_query() {
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let sign = |url: &str, token: Option<&str>| {
            let keys = Credentials::new("AKID", "SECRET", token.map(Into::into), None, "test");
            signature(url, keys, "eu-west-1", at).unwrap()
        };
        let base = "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/me-0?role=publish_subscribe&cell-number=";
        let headers = sign(&format!("{base}a+b/c=="), Some("TOKEN"));
        let named = |name: &str| {
            headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(named("x-amz-date"), Some("20231114T221320Z"));
        assert_eq!(named("x-amz-security-token"), Some("TOKEN"));
        let authorization = named("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/ssmmessages/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token, Signature="), "{authorization}");
        // A plus is a space to the service.
        assert_eq!(headers, sign(&format!("{base}a%20b%2Fc%3D%3D"), Some("TOKEN")));
        assert_ne!(headers, sign(&format!("{base}a%2Bb/c=="), Some("TOKEN")));
        assert!(!sign(base, None).iter().any(|(name, _)| name == "x-amz-security-token"));
        assert!(signature("http://x/", Credentials::for_tests(), "r", at).is_err());
    }
}
