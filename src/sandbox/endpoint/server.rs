//! HTTP/1.1 on loopback: bounded input, one request to one answer.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::actions;
use super::call::{Answer, Call, Handler};
use super::fault::{ChannelFault, DATA_CHANNEL, FaultEffect, FaultRule, Faults, dry_run_of};
use super::objects::{self, Objects};
use super::query::Params;
use super::quotas;
use super::sessions::{self, Sessions};
use super::signature::{Scope, scope};
use super::ssm;
use super::xml::Fields;
use crate::sandbox::cloud::{Cloud, CloudError};

/// At most this much in a request's body.
const MAX_BODY: usize = 1024 * 1024;
/// At most this much of headers, and of what is read ahead.
const MAX_BUFFER: usize = 64 * 1024;
/// A client that sends nothing for this long is let go.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a request may go on after the endpoint is asked to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const IAM_NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What the sandbox says of every secret.
const NO_SECRETS: &str = "The sandbox keeps no secrets; pass the value in as a sensitive variable.";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A running endpoint.
pub struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    address: SocketAddr,
    cloud: Cloud,
    sessions: Sessions,
    access_key: Option<String>,
    faults: Faults,
    calls: Mutex<BTreeMap<String, u64>>,
    objects: Objects,
}

impl Endpoint {
    /// Listens, and answers from `cloud` until [`Endpoint::close`]. With an access key, only
    /// requests that name it (or what AssumeRole made of it) are answered.
    pub async fn start(
        bind: SocketAddr,
        cloud: Cloud,
        access_key: Option<String>,
        faults: Vec<FaultRule>,
    ) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        let shared = Arc::new(Shared {
            address,
            cloud,
            sessions: Sessions::new(tasks.clone(), closing.clone()),
            access_key,
            faults: Faults::new(faults),
            calls: Mutex::default(),
            objects: Objects::default(),
        });
        let endpoint = Endpoint {
            address,
            shared: shared.clone(),
            closing: closing.clone(),
            tasks: tasks.clone(),
        };
        endpoint.tasks.spawn(async move {
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            tasks.spawn(connection(stream, shared.clone(), closing.clone()));
                        }
                        Err(error) => {
                            // Usually too many open files: others have to close first.
                            tracing::warn!("no connection could be accepted: {error}");
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    },
                    () = closing.cancelled() => break,
                }
            }
        });
        Ok(endpoint)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often each action was called so far, faults included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many objects its buckets have.
    pub fn objects(&self) -> usize {
        self.shared.objects.count()
    }

    /// Accepts no more connections, and ends those that are idle.
    pub fn shut(&self) {
        self.closing.cancel();
    }

    /// Answers what was asked, then closes all connections.
    pub async fn close(&self) {
        self.shut();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, closing: CancellationToken) {
    // Answers are small: waiting to fill a packet only costs time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("no TCP_NODELAY: {error}");
    }
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { answer(&shared, request).await.ok_or(io::Error::other("a fault on purpose")) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(CLOSE_TIMEOUT, connection).await {
                Ok(served) => served,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection ended: {error}");
    }
}

/// Which service a request is for, and what it asks.
enum Asked {
    Ec2 { action: String, handler: Option<Handler> },
    Sts { action: String, handler: Option<Handler> },
    Iam { action: String, handler: Option<Handler> },
    Ssm { action: String },
    Secrets { action: String },
    Quotas { action: String },
}

impl Asked {
    fn of(headers: &HeaderMap, params: &Params) -> Result<Self, CloudError> {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        if let Some(target) = target {
            let action = |prefix| target.strip_prefix(prefix).map(str::to_owned);
            if let Some(action) = action("secretsmanager.") {
                return Ok(Asked::Secrets { action });
            }
            if let Some(action) = action(quotas::PREFIX) {
                return Ok(Asked::Quotas { action });
            }
            let action = action("AmazonSSM.").ok_or_else(|| {
                CloudError::new(
                    "UnknownOperationException",
                    "The sandbox speaks EC2, IAM, STS, SSM and Service Quotas.",
                )
            })?;
            return Ok(Asked::Ssm { action });
        }
        let action = params.text("Action").ok_or_else(|| {
            CloudError::new("MissingAction", "The request must contain the parameter Action")
        })?;
        let sts = actions::find(actions::STS, action);
        let action = action.to_owned();
        if sts.is_some() || params.text("Version") == Some("2011-06-15") {
            return Ok(Asked::Sts { action, handler: sts });
        }
        if params.text("Version") == Some("2010-05-08") {
            let handler = actions::find(actions::IAM, &action);
            return Ok(Asked::Iam { action, handler });
        }
        let handler = actions::find(actions::EC2, &action);
        Ok(Asked::Ec2 { action, handler })
    }

    /// Whether there is such an action.
    fn is_known(&self) -> bool {
        match self {
            Asked::Ec2 { handler, .. }
            | Asked::Sts { handler, .. }
            | Asked::Iam { handler, .. } => handler.is_some(),
            Asked::Ssm { action } => ssm::knows(action),
            Asked::Secrets { .. } => true,
            Asked::Quotas { action } => action == quotas::ACTION,
        }
    }

    fn action(&self) -> &str {
        match self {
            Asked::Ec2 { action, .. }
            | Asked::Sts { action, .. }
            | Asked::Iam { action, .. }
            | Asked::Ssm { action }
            | Asked::Secrets { action }
            | Asked::Quotas { action } => action,
        }
    }
}

/// `None` closes the connection.
async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Option<Response<Body>> {
    let request_id = uuid::Uuid::new_v4().to_string();
    if request.uri().path().starts_with(sessions::PATH) {
        return data_channel(shared, request, &request_id).await;
    }
    if let Some(action) = objects::action(request.method(), request.uri().path()) {
        return object(shared, request, action, &request_id).await;
    }
    let Read { params, headers, body } = match read(request).await {
        Ok(read) => read,
        Err(error) => return Some(ec2_answer("", &request_id, Err(error))),
    };
    let asked = match Asked::of(&headers, &params) {
        Ok(asked) => asked,
        Err(error) => return Some(ec2_answer("", &request_id, Err(error))),
    };
    let action = asked.action().to_owned();
    let is_dry_run = matches!(asked, Asked::Ec2 { .. }) && params.is_set("DryRun").unwrap_or(false);
    let counted = if is_dry_run { dry_run_of(&action) } else { action.clone() };
    tracing::debug!(request_id, "{counted}");
    if let Ok(mut calls) = shared.calls.lock() {
        // Names come from outside; only those that exist are kept.
        if asked.is_known() {
            *calls.entry(counted.clone()).or_default() += 1;
        }
    }
    let (mut refused, mut cut, mut empty_token) = (None, false, false);
    if is_dry_run {
        refused = shared.faults.denial(&action);
    }
    for fault in shared.faults.due(&counted) {
        match fault {
            FaultEffect::Refuse(error) => refused = refused.or(Some(error)),
            FaultEffect::Delay(time) => tokio::time::sleep(time).await,
            FaultEffect::Drop => return None,
            FaultEffect::Cut => cut = true,
            FaultEffect::EmptyToken => empty_token = true,
            // Of data channels, not of calls.
            FaultEffect::Channel(_) => {}
        }
    }
    let response = match refused {
        Some(error) => match &asked {
            Asked::Ec2 { .. } => ec2_answer(&action, &request_id, Err(error)),
            Asked::Sts { .. } => query_answer(STS_NAMESPACE, &action, &request_id, Err(error)),
            Asked::Iam { .. } => query_answer(IAM_NAMESPACE, &action, &request_id, Err(error)),
            Asked::Ssm { .. } | Asked::Secrets { .. } | Asked::Quotas { .. } => {
                ssm_answer(&request_id, Err(error))
            }
        },
        None => {
            let shared = shared.clone();
            let id = request_id.clone();
            let work = move || {
                let read = Read { headers, params, body };
                act(&shared, &asked, &read, empty_token, &id)
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(response) => response,
                Err(_) => {
                    let error = CloudError::internal("The sandbox failed on this request.");
                    ec2_answer(&action, &request_id, Err(error))
                }
            }
        }
    };
    Some(if cut { cut_in_half(response).await } else { response })
}

/// Answers a request for an object; `None` closes the connection.
async fn object(
    shared: &Shared,
    request: Request<Incoming>,
    action: &str,
    request_id: &str,
) -> Option<Response<Body>> {
    if let Ok(mut calls) = shared.calls.lock() {
        *calls.entry(action.to_owned()).or_default() += 1;
    }
    let (mut refused, mut cut) = (None, false);
    for fault in shared.faults.due(action) {
        match fault {
            FaultEffect::Refuse(error) => refused = refused.or(Some(error)),
            FaultEffect::Delay(time) => tokio::time::sleep(time).await,
            FaultEffect::Drop => return None,
            FaultEffect::Cut => cut = true,
            FaultEffect::EmptyToken | FaultEffect::Channel(_) => {}
        }
    }
    let answer = match (check_origin(request.headers()), refused) {
        (Err(error), _) | (Ok(()), Some(error)) => Err(error),
        (Ok(()), None) => shared.objects.answer(request, shared.access_key.as_deref()).await,
    };
    let response = answer.unwrap_or_else(|error| {
        let document = Fields::new()
            .text("Code", &error.code)
            .text("Message", &error.message)
            .text("RequestId", request_id)
            .document("Error", None);
        respond(status(&error), "application/xml", request_id, document)
    });
    Some(if cut { cut_in_half(response).await } else { response })
}

/// Answers a request for a data channel; `None` closes the connection.
async fn data_channel(
    shared: &Shared,
    request: Request<Incoming>,
    request_id: &str,
) -> Option<Response<Body>> {
    let refuse = |status, reason: String| {
        Some(respond(status, "text/plain; charset=UTF-8", request_id, reason.into_bytes()))
    };
    if let Ok(mut calls) = shared.calls.lock() {
        *calls.entry(DATA_CHANNEL.to_owned()).or_default() += 1;
    }
    let mut faults = Vec::new();
    for fault in shared.faults.due(DATA_CHANNEL) {
        match fault {
            FaultEffect::Refuse(error) => return refuse(status(&error), error.to_string()),
            FaultEffect::Delay(time) => tokio::time::sleep(time).await,
            FaultEffect::Drop => return None,
            // The answer is a stream: it breaks at its start.
            FaultEffect::Cut => faults.push(ChannelFault::Cut(1)),
            FaultEffect::EmptyToken => {}
            FaultEffect::Channel(fault) => faults.push(fault),
        }
    }
    let key = shared.access_key.as_deref();
    let allowed = check_origin(request.headers())
        .and_then(|()| scope(request.headers(), &Params::default(), key));
    if let Err(error) = allowed {
        return refuse(StatusCode::FORBIDDEN, error.to_string());
    }
    match sessions::upgrade(&shared.sessions, request, faults) {
        Ok(headers) => {
            let mut response = respond(StatusCode::SWITCHING_PROTOCOLS, "", request_id, Vec::new());
            response.headers_mut().remove(CONTENT_TYPE);
            for (name, value) in headers {
                if let Ok(value) = value.parse() {
                    response.headers_mut().insert(name, value);
                }
            }
            Some(response)
        }
        Err((status, reason)) => refuse(status, reason),
    }
}

/// What a request brought.
struct Read {
    params: Params,
    headers: HeaderMap,
    body: Bytes,
}

/// Reads the whole request, within limits.
async fn read(request: Request<Incoming>) -> Result<Read, CloudError> {
    let (head, body) = request.into_parts();
    check_origin(&head.headers)?;
    if head.method != Method::POST && head.method != Method::GET {
        return Err(CloudError::new("InvalidRequest", "The request is neither POST nor GET"));
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect())
        .await
        .map_err(|_| CloudError::new("RequestTimeout", "The body did not arrive in time"))?
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                let message = format!("The request's body is larger than {MAX_BODY} bytes");
                CloudError::new("RequestEntityTooLarge", message)
            } else {
                CloudError::new("IncompleteBody", "The request's body is not complete")
            }
        })?
        .to_bytes();
    let mut params = Params::default();
    params.add(head.uri.query().unwrap_or_default().as_bytes())?;
    if !head.headers.contains_key("x-amz-target") {
        params.add(&body)?;
    }
    Ok(Read { params, headers: head.headers, body })
}

/// Refuses web browsers: a page on the internet must not be able to launch instances here, be it
/// by a form, an image or a host name that leads to this machine.
fn check_origin(headers: &HeaderMap) -> Result<(), CloudError> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let local = host.is_none_or(|host| {
        let address = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        address || name == "localhost" || name.ends_with(".localhost")
    });
    let browser = ["origin", "sec-fetch-site", "sec-fetch-mode"];
    if local && !browser.iter().any(|name| headers.contains_key(*name)) {
        return Ok(());
    }
    Err(CloudError::new(
        "UnauthorizedOperation",
        "The sandbox answers to clients on this machine, and not to web browsers.",
    ))
}

fn act(
    shared: &Shared,
    asked: &Asked,
    Read { params, headers, body }: &Read,
    empty_token: bool,
    request_id: &str,
) -> Response<Body> {
    let cloud = &shared.cloud;
    let scope = scope(headers, params, shared.access_key.as_deref());
    let handle = |handler: Option<Handler>, action: &str| {
        let Scope { access_key, region } = &scope.clone()?;
        let handler = handler.ok_or_else(|| {
            CloudError::new(
                "InvalidAction",
                format!("The action {action} is not valid for this web service."),
            )
        })?;
        handler(&Call { cloud, region, access_key, params })
    };
    match asked {
        Asked::Ec2 { action, handler } => ec2_answer(action, request_id, handle(*handler, action)),
        Asked::Sts { action, handler } => {
            query_answer(STS_NAMESPACE, action, request_id, handle(*handler, action))
        }
        Asked::Iam { action, handler } => {
            query_answer(IAM_NAMESPACE, action, request_id, handle(*handler, action))
        }
        Asked::Ssm { action } => {
            let authority = shared.address.to_string();
            let answer = scope.and_then(|Scope { region, .. }| {
                let (region, authority) = (region.as_str(), authority.as_str());
                let sessions = &shared.sessions;
                let caller = ssm::Caller { cloud, sessions, region, authority, empty_token };
                ssm::act(&caller, action, body)
            });
            ssm_answer(request_id, answer)
        }
        Asked::Quotas { action } => {
            let answer = scope.and_then(|Scope { region, .. }| quotas::act(&region, action, body));
            ssm_answer(request_id, answer)
        }
        // Said in the service's own way, so that a client understands it.
        Asked::Secrets { .. } => {
            let none = CloudError::new("ResourceNotFoundException", NO_SECRETS);
            ssm_answer(request_id, scope.and_then(|_| Err(none)))
        }
    }
}

fn ec2_answer(action: &str, request_id: &str, answer: Answer) -> Response<Body> {
    match answer {
        Ok(fields) => {
            let document = Fields::new()
                .text("requestId", request_id)
                .extend(fields)
                .document(&format!("{action}Response"), Some(EC2_NAMESPACE));
            respond(StatusCode::OK, "text/xml;charset=UTF-8", request_id, document)
        }
        Err(error) => {
            let one = Fields::new().text("Code", &error.code).text("Message", &error.message);
            let document = Fields::new()
                .group("Errors", Fields::new().group("Error", one))
                .text("RequestID", request_id)
                .document("Response", None);
            respond(status(&error), "text/xml;charset=UTF-8", request_id, document)
        }
    }
}

/// An answer of IAM or STS.
fn query_answer(namespace: &str, action: &str, request_id: &str, answer: Answer) -> Response<Body> {
    match answer {
        Ok(fields) => {
            let document = Fields::new()
                .group(format!("{action}Result"), fields)
                .group("ResponseMetadata", Fields::new().text("RequestId", request_id))
                .document(&format!("{action}Response"), Some(namespace));
            respond(StatusCode::OK, "text/xml", request_id, document)
        }
        Err(error) => {
            let side = if error.status() >= 500 { "Receiver" } else { "Sender" };
            let one = Fields::new()
                .text("Type", side)
                .text("Code", &error.code)
                .text("Message", &error.message);
            let document = Fields::new()
                .group("Error", one)
                .text("RequestId", request_id)
                .document("ErrorResponse", Some(namespace));
            respond(status(&error), "text/xml", request_id, document)
        }
    }
}

fn ssm_answer(request_id: &str, answer: Result<serde_json::Value, CloudError>) -> Response<Body> {
    let (status, value) = match answer {
        Ok(value) => (StatusCode::OK, value),
        Err(error) => {
            let value = serde_json::json!({ "__type": error.code, "message": error.message });
            (status(&error), value)
        }
    };
    respond(status, "application/x-amz-json-1.1", request_id, value.to_string().into_bytes())
}

fn status(error: &CloudError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    request_id: &str,
    body: Vec<u8>,
) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    if let Ok(id) = request_id.parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// The same answer, whose connection breaks after half of it.
async fn cut_in_half(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let whole = body.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
    head.headers.insert(CONTENT_LENGTH, whole.len().into());
    let half = whole.slice(..whole.len() / 2);
    let broken = || Err(io::Error::other("a fault on purpose"));
    let frames = stream::iter([Ok(Frame::data(half)), broken()]);
    Response::from_parts(head, StreamBody::new(frames).boxed_unsync())
}
