//! As much of S3 as bake needs: objects are put, put unless they are there, fetched and deleted by
//! path.
//!
//! Every bucket exists, but for those whose name begins with `missing`. Objects live as long as the
//! process, in files without a name. Signatures are as unchecked as everywhere here; that a URL has
//! expired, and that a body is not the one that was signed, is noticed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::query::Params;
use super::signature::scope;
use crate::sandbox::cloud::CloudError;

/// The most that one PUT takes.
const LARGEST: u64 = 5 << 30;
/// How much is read at once.
const PIECE: usize = 256 << 10;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// All objects, by bucket and key as the path has them.
#[derive(Default)]
pub(super) struct Objects {
    held: Mutex<BTreeMap<String, Object>>,
}

#[derive(Clone)]
struct Object {
    file: Arc<File>,
    size: u64,
    digest: String,
}

/// The call that a method stands for; `None` when this is no request for an object.
pub(super) fn action(method: &Method, path: &str) -> Option<&'static str> {
    let (bucket, key) = path.strip_prefix('/')?.split_once('/')?;
    if bucket.is_empty() || key.is_empty() {
        return None;
    }
    match *method {
        Method::PUT => Some("PutObject"),
        Method::GET => Some("GetObject"),
        Method::DELETE => Some("DeleteObject"),
        _ => None,
    }
}

impl Objects {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Answers a request for an object.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        access_key: Option<&str>,
    ) -> Result<Response<Body>, CloudError> {
        let (head, body) = request.into_parts();
        let mut params = Params::default();
        params.add(head.uri.query().unwrap_or_default().as_bytes())?;
        scope(&head.headers, &params, access_key)
            .map_err(|error| CloudError::new("AccessDenied", error.message))?;
        check_expiry(&params)?;
        let path = head.uri.path();
        if path.starts_with("/missing") {
            let message = "The specified bucket does not exist";
            return Err(CloudError::new("NoSuchBucket", message));
        }
        match head.method {
            Method::PUT => self.put(path, &head.headers, body).await,
            Method::GET => self.get(path),
            _ => {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
                Ok(empty(StatusCode::NO_CONTENT))
            }
        }
    }

    async fn put(
        &self,
        path: &str,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<Response<Body>, CloudError> {
        if !headers.contains_key(CONTENT_LENGTH) {
            let message = "You must provide the Content-Length HTTP header.";
            return Err(CloudError::new("MissingContentLength", message));
        }
        let unwritable = |error: io::Error| CloudError::internal(error.to_string());
        let mut file = tempfile::tempfile().map_err(unwritable)?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
                CloudError::new("IncompleteBody", message)
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            size += bytes.len() as u64;
            if size > LARGEST {
                let message = "Your proposed upload exceeds the maximum allowed size";
                return Err(CloudError::new("EntityTooLarge", message));
            }
            hasher.update(&bytes);
            let written =
                tokio::task::spawn_blocking(move || file.write_all(&bytes).map(|()| file));
            file = written.await.map_err(io::Error::other).flatten().map_err(unwritable)?;
        }
        let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok());
        if signed.is_some_and(|signed| signed.len() == 64 && signed != digest) {
            let message =
                "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(CloudError::new("XAmzContentSHA256Mismatch", message));
        }
        let mut response = empty(StatusCode::OK);
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{digest}\"")) {
            response.headers_mut().insert(ETAG, tag);
        }
        let object = Object { file: Arc::new(file), size, digest };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // S3 takes no other condition than this one.
        if headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*") && held.contains_key(path) {
            let message = "At least one of the pre-conditions you specified did not hold";
            return Err(CloudError::new("PreconditionFailed", message));
        }
        held.insert(path.to_owned(), object);
        Ok(response)
    }

    fn get(&self, path: &str) -> Result<Response<Body>, CloudError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Object { file, size, digest }) = held.get(path).cloned() else {
            return Err(CloudError::new("NoSuchKey", "The specified key does not exist."));
        };
        drop(held);
        let frames = stream::try_unfold(0_u64, move |at| {
            let file = file.clone();
            async move {
                let reading = tokio::task::spawn_blocking(move || {
                    let mut bytes = vec![0; PIECE];
                    let count = file.read_at(&mut bytes, at)?;
                    bytes.truncate(count);
                    Ok::<_, io::Error>(bytes)
                });
                let bytes = reading.await.map_err(io::Error::other).flatten()?;
                let next = at + bytes.len() as u64;
                Ok((!bytes.is_empty()).then(|| (Frame::data(Bytes::from(bytes)), next)))
            }
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, size.into());
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{digest}\"")) {
            headers.insert(ETAG, tag);
        }
        Ok(response)
    }
}

/// A presigned URL is good for as long as it says.
fn check_expiry(params: &Params) -> Result<(), CloudError> {
    let Some(expires) = params.number("X-Amz-Expires")? else { return Ok(()) };
    let invalid =
        || CloudError::new("AuthorizationQueryParametersError", "X-Amz-Date is not valid");
    let date = params.text("X-Amz-Date").ok_or_else(invalid)?;
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).map_err(|_| invalid())?;
    let date = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| invalid())?.timestamp();
    if Timestamp::now().duration_since(date).as_secs() > expires {
        return Err(CloudError::new("AccessDenied", "Request has expired"));
    }
    Ok(())
}

fn empty(status: StatusCode) -> Response<Body> {
    let none =
        http_body_util::Empty::new().map_err(|never: std::convert::Infallible| match never {});
    let mut response = Response::new(none.boxed_unsync());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_objects_are_s3s() {
        assert_eq!(action(&Method::PUT, "/bucket/a/key"), Some("PutObject"));
        assert_eq!(action(&Method::GET, "/bucket/key"), Some("GetObject"));
        assert_eq!(action(&Method::DELETE, "/bucket/key"), Some("DeleteObject"));
        for path in ["/", "", "/bucket", "/bucket/", "//key"] {
            assert_eq!(action(&Method::GET, path), None, "{path}");
        }
        assert_eq!(action(&Method::POST, "/bucket/key"), None);
    }

    #[test]
    fn a_url_expires() {
        let of = |query: &str| {
            let mut params = Params::default();
            params.add(query.as_bytes()).unwrap();
            check_expiry(&params).map_err(|error| error.message)
        };
        assert_eq!(of("X-Amz-Credential=x"), Ok(()));
        let past = "X-Amz-Date=20130524T000000Z&X-Amz-Expires=3600";
        assert_eq!(of(past), Err("Request has expired".to_owned()));
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        assert_eq!(of(&format!("X-Amz-Date={now}&X-Amz-Expires=3600")), Ok(()));
        assert!(of("X-Amz-Date=soon&X-Amz-Expires=3600").is_err());
    }
}
