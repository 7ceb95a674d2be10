//! How the bytes of a connection get to the machine.

use std::fmt;
use std::sync::Arc;

use super::options::{Address, Authentication};
use crate::communicator::Dial;
use crate::template::schema::Secret;

/// How bytes get to a machine. It is gone along again at every connect.
#[derive(Clone, Default)]
pub enum Route {
    /// By TCP.
    #[default]
    Direct,
    /// Through the TCP forwarding of other SSH servers: the first one is reached by TCP, each of
    /// the others through the one before it.
    Bastions(Vec<Bastion>),
    /// Through a SOCKS 5 proxy, which also resolves the machine's name.
    Proxy(Proxy),
    /// By streams that come from elsewhere, such as a session of Session Manager. The machine's
    /// address is not needed then.
    Dial(Arc<dyn Dial>),
}

/// An SSH server on the way to a machine. Its host key is not checked, as in Packer.
#[derive(Clone, Debug)]
pub struct Bastion {
    /// Where it listens.
    pub address: Address,
    /// The user who logs in there.
    pub username: String,
    /// Ways to log in there, in the order in which they are tried.
    pub authentication: Vec<Authentication>,
}

/// A SOCKS 5 proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: Address,
    /// User and password, when it wants them; both have at most 255 bytes.
    pub login: Option<(String, Secret)>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("Direct"),
            Self::Bastions(all) => f.debug_tuple("Bastions").field(all).finish(),
            Self::Proxy(proxy) => f.debug_tuple("Proxy").field(proxy).finish(),
            Self::Dial(dial) => f.debug_tuple("Dial").field(&dial.name()).finish(),
        }
    }
}
