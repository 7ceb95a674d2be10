//! Objects of S3: put, handed out by URL, fetched, deleted.
//!
//! Six requests do not need another SDK. One PUT takes 5 GiB, which is the most that is put.

use std::fs::File;
use std::io::Seek as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Response, StatusCode};
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{sleep, timeout};
use tokio_util::io::ReaderStream;

use super::wait::Backoff;
use super::{AwsError, AwsErrorKind, AwsFailure, Client, S3Prefix};
use crate::communicator::ssm::{Depot, SessionError};
use crate::plan::Digest;
use crate::template::schema::Secret;

/// The most that one PUT takes.
const LARGEST: u64 = 5 << 30;
/// How long a URL that was handed out is good for.
const EXPIRES: Duration = Duration::from_secs(3600);
/// How often a request is made that fails for a passing reason.
const ATTEMPTS: u32 = 10;
/// How long a connection may take, and how long the service may say nothing.
const CONNECT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes in a second that are the least to be patient with.
const SLOWEST: u64 = 50_000;
/// How much of an error's text is read.
const COMPLAINT: usize = 16 << 10;
/// What stays as it is in paths and queries.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bucket, and where in it to put things.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    name: String,
    prefix: String,
    http: reqwest::Client,
    /// Where it is, once that has been asked for.
    region: Arc<OnceCell<String>>,
}

/// What a request carries.
enum Content {
    Nothing,
    File {
        file: File,
        size: u64,
        digest: Digest,
    },
    /// JSON, if there is no such object yet.
    New(Bytes),
}

impl Bucket {
    /// The bucket `name`; keys begin with `prefix`. Nothing is asked yet.
    ///
    /// # Errors
    /// When there can be no HTTPS on this machine.
    pub fn new(client: &Client, name: &str, prefix: &str) -> Result<Self, AwsError> {
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none());
        let bucket = |http| Self {
            client: client.clone(),
            name: name.to_owned(),
            prefix,
            http,
            region: Arc::default(),
        };
        match http.build() {
            Ok(http) => Ok(bucket(http)),
            Err(error) => {
                let chain = super::error::chain(&error);
                Err(AwsFailure {
                    earlier_unclear: false,
                    kind: AwsErrorKind::Request,
                    action: "PutObject",
                    service: "s3",
                    code: None,
                    message: chain,
                    request_id: None,
                    status: None,
                    resource: Some(name.to_owned()),
                    region: client.region().to_owned(),
                    endpoint: None,
                }
                .into())
            }
        }
    }

    /// The bucket of a place, with its prefix. Nothing is asked yet.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn at(client: &Client, place: &S3Prefix) -> Result<Self, AwsError> {
        Self::new(client, place.bucket(), place.prefix())
    }

    /// What people, and the ledger, know an object by: `s3://bucket/prefix/name`.
    pub fn uri(&self, name: &str) -> String {
        format!("s3://{}/{}{name}", self.name, self.prefix)
    }

    /// Puts a file there.
    ///
    /// # Errors
    /// When it is too large, or S3 refuses it.
    pub async fn put(
        &self,
        name: &str,
        file: &File,
        size: u64,
        digest: Digest,
    ) -> Result<(), AwsError> {
        const ACTION: &str = "PutObject";
        if size > LARGEST {
            let message = format!("{size} bytes are more than one object can be put with, 5 GiB");
            return Err(self.failed(AwsErrorKind::Request, ACTION, name, message));
        }
        let again = || {
            let copied = file.try_clone().and_then(|mut file| file.rewind().map(|()| file));
            copied.map(|file| Content::File { file, size, digest })
        };
        self.insist(ACTION, Method::PUT, name, again).await.map(drop)
    }

    /// Puts JSON there unless there is an object of that name; whether it was put. Where the answer to
    /// an attempt is lost, the next one finds the object of the first.
    ///
    /// # Errors
    /// When S3 refuses it.
    pub async fn put_new(&self, name: &str, json: &Bytes) -> Result<bool, AwsError> {
        let content = || Ok(Content::New(json.clone()));
        match self.insist("PutObject", Method::PUT, name, content).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_code(&["PreconditionFailed"]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All of an object; `None` when there is none.
    ///
    /// # Errors
    /// When S3 refuses it or breaks off, or the object has more bytes than `limit`.
    pub async fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, AwsError> {
        const ACTION: &str = "GetObject";
        let reading = persistently(|| async {
            let mut response = self.request(ACTION, Method::GET, name, Content::Nothing).await?;
            let mut whole = Vec::new();
            let broken = |error| self.unanswered(ACTION, name, &error);
            while let Some(bytes) = response.chunk().await.map_err(broken)? {
                if whole.len() + bytes.len() > limit {
                    let message = format!("it has more than {limit} bytes");
                    return Err(self.failed(AwsErrorKind::Request, ACTION, name, message));
                }
                whole.extend_from_slice(&bytes);
            }
            Ok(whole)
        });
        match reading.await {
            Ok(whole) => Ok(Some(whole)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches an object, piece by piece; ends early when nobody takes them.
    ///
    /// # Errors
    /// When S3 refuses it, or breaks off.
    pub async fn get(&self, name: &str, pieces: &mpsc::Sender<Vec<u8>>) -> Result<(), AwsError> {
        const ACTION: &str = "GetObject";
        let nothing = || Ok(Content::Nothing);
        let mut response = self.insist(ACTION, Method::GET, name, nothing).await?;
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) => {
                    if pieces.send(bytes.to_vec()).await.is_err() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(self.unanswered(ACTION, name, &error)),
            }
        }
    }

    /// Deletes an object; nothing happens when there is none.
    ///
    /// # Errors
    /// When S3 refuses it.
    pub async fn delete(&self, name: &str) -> Result<(), AwsError> {
        self.insist("DeleteObject", Method::DELETE, name, || Ok(Content::Nothing)).await.map(drop)
    }

    /// A URL with which anybody can read an object for an hour.
    ///
    /// # Errors
    /// Without credentials, or when it is not known where the bucket is.
    pub async fn read_url(&self, name: &str) -> Result<Secret, AwsError> {
        self.presigned("GetObject", "GET", name).await
    }

    /// A URL with which anybody can write an object for an hour.
    ///
    /// # Errors
    /// Without credentials, or when it is not known where the bucket is.
    pub async fn write_url(&self, name: &str) -> Result<Secret, AwsError> {
        self.presigned("PutObject", "PUT", name).await
    }

    async fn presigned(
        &self,
        action: &'static str,
        method: &str,
        name: &str,
    ) -> Result<Secret, AwsError> {
        persistently(|| async {
            let (url, region) = self.place(action, name).await?;
            let credentials = self.credentials(action, name).await?;
            presign(method, &url, credentials, &region, now(), EXPIRES)
                .map(Secret::new)
                .map_err(|message| self.failed(AwsErrorKind::Request, action, name, message))
        })
        .await
    }

    /// Makes a request until it succeeds or there is a reason not to make it again.
    async fn insist(
        &self,
        action: &'static str,
        method: Method,
        name: &str,
        content: impl Fn() -> std::io::Result<Content>,
    ) -> Result<Response, AwsError> {
        persistently(|| async {
            let content = content().map_err(|error| {
                self.failed(AwsErrorKind::Request, action, name, error.to_string())
            })?;
            self.request(action, method.clone(), name, content).await
        })
        .await
    }

    async fn request(
        &self,
        action: &'static str,
        method: Method,
        name: &str,
        content: Content,
    ) -> Result<Response, AwsError> {
        let (url, region) = self.place(action, name).await?;
        let credentials = self.credentials(action, name).await?;
        let digest = match &content {
            Content::Nothing => Digest::of(b"").hex(),
            Content::File { digest, .. } => digest.hex(),
            Content::New(bytes) => Digest::of(bytes).hex(),
        };
        let headers = signed(method.as_str(), &url, credentials, &region, now(), &digest)
            .map_err(|message| self.failed(AwsErrorKind::Request, action, name, message))?;
        let mut request = self.http.request(method, &url);
        for (header, value) in headers {
            request = request.header(header, value);
        }
        let mut patience = SILENCE * 2;
        match content {
            Content::Nothing => {}
            Content::File { file, size, .. } => {
                let file = tokio::fs::File::from_std(file);
                let stream = ReaderStream::with_capacity(file, 256 << 10);
                let frames = StreamBody::new(stream.map(|one| one.map(Frame::data)));
                let body = reqwest::Body::wrap(frames);
                request = request.header("content-length", size).body(body);
                patience += Duration::from_secs(size / SLOWEST);
            }
            Content::New(bytes) => {
                patience += Duration::from_secs(bytes.len() as u64 / SLOWEST);
                request = request
                    .header("if-none-match", "*")
                    .header("content-type", "application/json")
                    .body(bytes);
            }
        }
        let response = match timeout(patience, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.unanswered(action, name, &error)),
            Err(_) => {
                let message = format!("it took longer than {} s", patience.as_secs());
                return Err(self.failed(AwsErrorKind::Timeout, action, name, message));
            }
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refused(action, name, response).await)
    }

    /// The address of an object, and the region it is in.
    async fn place(&self, action: &'static str, name: &str) -> Result<(String, String), AwsError> {
        let key = format!("{}{name}", self.prefix);
        let key: Vec<_> =
            key.split('/').map(|part| utf8_percent_encode(part, PLAIN).to_string()).collect();
        let region = self.region(action).await?;
        Ok((format!("{}/{}", self.base(region), key.join("/")), region.to_owned()))
    }

    /// The address of the bucket in a region. A name with dots does not fit the certificate, and an
    /// endpoint of one's own has no names.
    fn base(&self, region: &str) -> String {
        if let Some(endpoint) = &self.client.all_services {
            return format!("{}/{}", endpoint.trim_end_matches('/'), self.name);
        }
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match self.name.contains('.') {
            true => format!("https://s3.{region}.{suffix}/{}", self.name),
            false => format!("https://{}.s3.{region}.{suffix}", self.name),
        }
    }

    /// Where the bucket is, which S3 tells anybody.
    async fn region(&self, action: &'static str) -> Result<&str, AwsError> {
        let asking = || async {
            let here = self.client.region();
            if self.client.all_services.is_some() {
                return Ok(here.to_owned());
            }
            let url = format!("{}/", self.base(here));
            let asked = timeout(SILENCE, self.http.head(url).send()).await;
            let response = match asked {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(self.unanswered(action, "", &error)),
                Err(_) => {
                    let message = "S3 does not say where the bucket is".to_owned();
                    return Err(self.failed(AwsErrorKind::Timeout, action, "", message));
                }
            };
            let region = response.headers().get("x-amz-bucket-region");
            match region.and_then(|region| region.to_str().ok()) {
                Some(region) => Ok(region.to_owned()),
                None if response.status() == StatusCode::NOT_FOUND => {
                    let message = "The specified bucket does not exist".to_owned();
                    let mut failure = self.failure(AwsErrorKind::Service, action, "", message);
                    failure.code = Some("NoSuchBucket".to_owned());
                    failure.status = Some(404);
                    Err(failure.into())
                }
                // It may know better in a moment; what is found is kept.
                None if response.status().is_server_error() => {
                    Err(self.refused(action, "", response).await)
                }
                None => Ok(here.to_owned()),
            }
        };
        self.region.get_or_try_init(asking).await.map(String::as_str)
    }

    async fn credentials(&self, action: &'static str, name: &str) -> Result<Credentials, AwsError> {
        let failed = |message| self.failed(AwsErrorKind::Credentials, action, name, message);
        match &self.client.credentials {
            Some(provider) => provider
                .provide_credentials()
                .await
                .map_err(|error| failed(super::error::chain(&error))),
            None => Err(failed("no credentials are known".to_owned())),
        }
    }

    fn failure(
        &self,
        kind: AwsErrorKind,
        action: &'static str,
        name: &str,
        message: String,
    ) -> AwsFailure {
        let resource = match name {
            "" => format!("s3://{}", self.name),
            name => self.uri(name),
        };
        AwsFailure {
            earlier_unclear: false,
            kind,
            action,
            service: "s3",
            code: None,
            message,
            request_id: None,
            status: None,
            resource: Some(resource),
            region: self.region.get().map_or(self.client.region(), String::as_str).to_owned(),
            endpoint: self.client.all_services.clone(),
        }
    }

    fn failed(
        &self,
        kind: AwsErrorKind,
        action: &'static str,
        name: &str,
        message: String,
    ) -> AwsError {
        self.failure(kind, action, name, message).into()
    }

    fn unanswered(&self, action: &'static str, name: &str, error: &reqwest::Error) -> AwsError {
        let kind =
            if error.is_timeout() { AwsErrorKind::Timeout } else { AwsErrorKind::Unreachable };
        // Its own text has the URL in it.
        let causes = std::error::Error::source(error).map(super::error::chain);
        let message = causes.unwrap_or_else(|| "the connection failed".to_owned());
        self.failed(kind, action, name, message)
    }

    /// The error that an answer tells of.
    async fn refused(&self, action: &'static str, name: &str, mut response: Response) -> AwsError {
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(ToOwned::to_owned)
        };
        let request_id = header("x-amz-request-id");
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await
            && body.len() < COMPLAINT
        {
            body.extend_from_slice(&bytes);
        }
        let body = String::from_utf8_lossy(&body);
        let message = element(&body, "Message").unwrap_or_else(|| format!("status {status}"));
        let mut failure = self.failure(AwsErrorKind::Service, action, name, message);
        failure.code = element(&body, "Code");
        failure.status = Some(status);
        failure.request_id = request_id;
        failure.into()
    }
}

impl Depot for Bucket {
    fn put(
        &self,
        name: String,
        file: File,
        size: u64,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        async move { Ok(Bucket::put(self, &name, &file, size, digest).await?) }.boxed()
    }

    fn get(
        &self,
        name: String,
        pieces: mpsc::Sender<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        async move { Ok(Bucket::get(self, &name, &pieces).await?) }.boxed()
    }

    fn read_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move { Ok(Bucket::read_url(self, &name).await?) }.boxed()
    }

    fn write_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move { Ok(Bucket::write_url(self, &name).await?) }.boxed()
    }

    fn delete(&self, name: String) -> BoxFuture<'_, Result<(), SessionError>> {
        async move { Ok(Bucket::delete(self, &name).await?) }.boxed()
    }
}

impl Client {
    /// Deletes an object that is known by its [`Bucket::uri`].
    ///
    /// # Errors
    /// When S3 refuses it.
    pub async fn delete_object(&self, uri: &str) -> Result<(), AwsError> {
        let place = uri.strip_prefix("s3://").and_then(|place| place.split_once('/'));
        let (bucket, key) = place.unwrap_or((uri, ""));
        Bucket::new(self, bucket, "")?.delete(key).await
    }
}

/// What an attempt comes to, once it succeeds, fails for good or has been made often enough.
async fn persistently<T, A: Future<Output = Result<T, AwsError>>>(
    attempt: impl Fn() -> A,
) -> Result<T, AwsError> {
    let mut backoff = Backoff::new(Duration::from_millis(300), Duration::from_secs(5));
    let mut made = 1;
    loop {
        match attempt().await {
            Err(error) if error.is_transient() && made < ATTEMPTS => made += 1,
            result => return result,
        }
        sleep(backoff.next()).await;
    }
}

/// The text of an element of a small XML document.
fn element(document: &str, name: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    quick_xml::escape::unescape(text).ok().map(std::borrow::Cow::into_owned)
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "a signature is of the moment it is made")]
    SystemTime::now()
}

/// As S3 wants it: paths are not encoded twice, nor tidied.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings
}

/// Signs a request. What is to be added to it is in its headers or in its query, as the settings
/// have it.
fn instructions(
    method: &str,
    url: &str,
    body: SignableBody<'_>,
    credentials: Credentials,
    region: &str,
    time: SystemTime,
    settings: SigningSettings,
) -> Result<SigningInstructions, String> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let request = SignableRequest::new(method, url, std::iter::empty(), body)
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &parameters).map_err(|error| error.to_string())?;
    Ok(signed.into_parts().0)
}

/// The headers that sign a request whose body has a digest.
fn signed(
    method: &str,
    url: &str,
    credentials: Credentials,
    region: &str,
    time: SystemTime,
    digest: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut settings = settings();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let body = SignableBody::Precomputed(digest.to_owned());
    let signed = instructions(method, url, body, credentials, region, time, settings)?;
    Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// A URL that brings its signature along.
fn presign(
    method: &str,
    url: &str,
    credentials: Credentials,
    region: &str,
    time: SystemTime,
    expires: Duration,
) -> Result<String, String> {
    let mut settings = settings();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(expires);
    let body = SignableBody::UnsignedPayload;
    let signed = instructions(method, url, body, credentials, region, time, settings)?;
    let query: Vec<_> = signed
        .params()
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN)))
        .collect();
    Ok(format!("{url}?{}", query.join("&")))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::{Access, OwnCloud};
    use super::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn keys(token: Option<&str>) -> Credentials {
        Credentials::new(KEY, SECRET, token.map(ToOwned::to_owned), None, "test")
    }

    /// 2013-05-24, the day of the examples in the documentation of S3.
    fn day() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_369_353_600)
    }

    #[test]
    fn a_url_is_signed_as_the_documentation_of_s3_has_it() {
        let url = "https://examplebucket.s3.amazonaws.com/test.txt";
        let expires = Duration::from_secs(86_400);
        let signed = presign("GET", url, keys(None), "us-east-1", day(), expires).unwrap();
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(signed.ends_with(&format!("X-Amz-Signature={signature}")), "{signed}");
        assert!(signed.contains("X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1"));
        assert!(signed.contains("X-Amz-Expires=86400"), "{signed}");
        let temporary = presign("PUT", url, keys(Some("a/b+c")), "us-east-1", day(), expires);
        assert!(temporary.unwrap().contains("X-Amz-Security-Token=a%2Fb%2Bc"));
    }

    #[test]
    fn a_request_carries_the_digest_of_its_body() {
        let digest = Digest::of(b"Welcome to Amazon S3.").hex();
        let url = "https://examplebucket.s3.amazonaws.com/a%24b";
        let headers = signed("PUT", url, keys(None), "us-east-1", day(), &digest).unwrap();
        let named = |name: &str| headers.iter().find(|(found, _)| found == name);
        assert_eq!(named("x-amz-content-sha256").map(|(_, value)| value), Some(&digest));
        assert!(named("authorization").is_some_and(|(_, value)| {
            value.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date")
        }));
    }

    #[tokio::test]
    async fn a_bucket_has_its_address_by_name_unless_that_cannot_be() {
        let access = Access { region: Some("eu-west-1".to_owned()), ..Access::default() };
        let client = Client::connect(&access).await.unwrap();
        let base = |name: &str, region: &str| Bucket::new(&client, name, "").unwrap().base(region);
        assert_eq!(base("one", "eu-west-1"), "https://one.s3.eu-west-1.amazonaws.com");
        assert_eq!(base("a.b", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/a.b");
        assert_eq!(base("one", "cn-north-1"), "https://one.s3.cn-north-1.amazonaws.com.cn");
        let cloud =
            OwnCloud { url: "http://127.0.0.1:1/".to_owned(), access_key: Secret::new("A") };
        let client = Client::connect(&Access::default().in_own(&cloud)).await.unwrap();
        let bucket = Bucket::new(&client, "one", "/of/builds/").unwrap();
        assert_eq!(bucket.uri("x"), "s3://one/of/builds/x");
        let place = bucket.place("PutObject", "a b").await.unwrap();
        assert_eq!(place.0, "http://127.0.0.1:1/one/of/builds/a%20b");
        let url = bucket.read_url("x").await.unwrap();
        assert!(url.reveal().contains("X-Amz-Expires=3600"));
        let error = bucket.delete("x").await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert!(!error.to_string().contains("X-Amz"), "{error}");
    }

    #[test]
    fn refusals_are_read() {
        let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no &amp; no</Message></Error>";
        assert_eq!(element(body, "Code").as_deref(), Some("AccessDenied"));
        assert_eq!(element(body, "Message").as_deref(), Some("no & no"));
        assert_eq!(element("<Code>", "Code"), None);
    }
}
