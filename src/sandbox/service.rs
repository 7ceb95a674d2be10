//! The sandbox as one thing: an endpoint over a cloud over a host.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::cloud::{Cloud, ImageStore, Latency};
use super::endpoint::{Endpoint, FaultRule};
use super::machine::{Host, MachineError};

/// How a sandbox behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the endpoint listens; port 0 takes a free one. Anybody who reaches it can run
    /// commands on this machine: keep it on loopback.
    pub bind: SocketAddr,
    /// The access key id that requests must name, as a bearer token: anybody on this machine can
    /// reach a loopback port. Any key will do when it is not given.
    pub access_key: Option<String>,
    /// How long transitions take.
    pub latency: Latency,
    /// What goes wrong on purpose.
    pub faults: Vec<FaultRule>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            access_key: None,
            latency: Latency::default(),
            faults: Vec::new(),
        }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The store cannot be read.
    #[error("the sandbox store cannot be used: {0}")]
    Store(#[from] MachineError),
    /// The address can be reached from elsewhere.
    #[error(
        "the sandbox cannot listen on {0}: it runs commands for whoever connects, so it takes loopback addresses only"
    )]
    NotLoopback(SocketAddr),
}

/// A running sandbox. [`Sandbox::stop`] ends it well; dropping it ends it, too, but waits for nothing.
pub struct Sandbox {
    cloud: Cloud,
    endpoint: Endpoint,
}

impl Sandbox {
    /// Starts the endpoint. Each region that a request is signed for is apart; images are in
    /// `store`, everything else ends with the sandbox.
    pub async fn start(
        options: Options,
        host: Arc<dyn Host>,
        store: impl ImageStore + 'static,
    ) -> Result<Sandbox, SandboxError> {
        let address = options.bind;
        if !address.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(address));
        }
        let cloud = Cloud::new(host, Arc::new(store), options.latency);
        let sweeper = cloud.clone();
        tokio::task::spawn_blocking(move || sweeper.sweep())
            .await
            .map_err(|error| MachineError::Other(error.to_string()))??;
        let endpoint = Endpoint::start(address, cloud.clone(), options.access_key, options.faults)
            .await
            .map_err(|source| SandboxError::Bind { address, source })?;
        Ok(Sandbox { cloud, endpoint })
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.endpoint.address())
    }

    /// How many objects its buckets have.
    pub fn objects(&self) -> usize {
        self.endpoint.objects()
    }

    /// How often each action was called so far.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.endpoint.calls()
    }

    /// Stops answering, terminates all instances and waits until their machines are gone.
    pub async fn stop(self) {
        self.endpoint.close().await;
        self.cloud.close().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.endpoint.shut();
        self.cloud.abandon();
    }
}
