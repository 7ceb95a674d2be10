//! The way to the clouds in which runs worked: the configured account, the endpoint that a ledger
//! names, or the embedded sandbox.

use std::io;
use std::net::IpAddr;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::aws::{Access, AwsError, Client, Endpoint, OwnCloud};
use crate::build::gc::{Clouds, Site};
use crate::build::ledger::Place;
use crate::sandbox::service::Sandbox;

use super::arguments::SandboxBehaviour;
use super::sandbox;

/// All clouds that this process can reach.
#[derive(Default)]
pub(super) struct Reachable {
    /// Takes the sandbox for the configured account.
    in_sandbox: bool,
    /// Started when it is needed: it knows the images that outlived their runs.
    sandbox: OnceCell<(Sandbox, OwnCloud)>,
}

impl Reachable {
    /// The configured account, or the sandbox in its place.
    pub(super) fn new(in_sandbox: bool) -> Self {
        Self { in_sandbox, sandbox: OnceCell::new() }
    }

    /// Ends the sandbox, if there is one.
    pub(super) async fn close(self) {
        if let Some((sandbox, _)) = self.sandbox.into_inner() {
            sandbox.stop().await;
        }
    }

    async fn in_sandbox(&self, access: Access) -> Result<Access, String> {
        let start = || async {
            let started = sandbox::start_own(&SandboxBehaviour::default()).await;
            started.map_err(|error| format!("the sandbox does not start: {error}"))
        };
        let (_, cloud) = self.sandbox.get_or_try_init(start).await?;
        Ok(access.in_own(cloud))
    }

    async fn recorded(&self, place: &Place) -> Result<Client, String> {
        if let Some(url) = &place.endpoint
            && is_gone(url).await
        {
            return Err(format!("nothing listens at {url} any more"));
        }
        let access = Access { region: Some(place.region.clone()), ..Access::default() };
        let configured = connect(&access).await?;
        match (&place.endpoint, configured.endpoint()) {
            (None, None) => Ok(configured),
            (Some(recorded), Some(endpoint)) if recorded == endpoint => Ok(configured),
            (None, Some(endpoint)) => Err(format!(
                "it is at AWS itself, and this process is sent to {endpoint}: unset AWS_ENDPOINT_URL"
            )),
            (Some(url), _) if place.ec2_only => {
                connect(&Access { ec2_endpoint: Some(url.clone()), ..access }).await
            }
            (Some(url), _) => {
                let endpoint = Some(Endpoint { url: url.clone() });
                connect(&Access { endpoint, ..access }).await
            }
        }
    }
}

impl Clouds for Reachable {
    fn connect<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<Client, String>> {
        async move {
            match site {
                Site::Configured { region } => {
                    let access = Access { region: region.clone(), ..Access::default() };
                    let access = match self.in_sandbox {
                        true => self.in_sandbox(access).await?,
                        false => access,
                    };
                    connect(&access).await
                }
                Site::Recorded { place, sandbox: true } => {
                    let region = Some(place.region.clone());
                    let access = Access { region, ..Access::default() };
                    connect(&self.in_sandbox(access).await?).await
                }
                Site::Recorded { place, sandbox: false } => self.recorded(place).await,
            }
        }
        .boxed()
    }
}

/// Whether an endpoint on this machine has ended. A call would find out only after many attempts, and
/// not at all without credentials; elsewhere there may be a proxy on the way.
async fn is_gone(url: &str) -> bool {
    let Ok(url) = url.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = |address: IpAddr| address.is_loopback();
    if host != "localhost" && !host.parse().is_ok_and(is_loopback) {
        return false;
    }
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 });
    let connected = TcpStream::connect((host, port)).await;
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

async fn connect(access: &Access) -> Result<Client, String> {
    Client::connect(access).await.map_err(|error: AwsError| {
        let hints = error.hints().into_iter().map(|hint| format!(" (hint: {hint})"));
        hints.fold(error.to_string(), |text, hint| text + &hint)
    })
}
