//! An address of its own for each machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use super::MachineError;
use super::failure::Tried;

/// Ports to try, best first. 22 is taken on every address when the host's own
/// server listens on 0.0.0.0.
const PORTS: [u16; 3] = [22, 2222, 22022];
/// Addresses to try for each port.
const TRIES: usize = 4;

/// An address in 127.0.0.0/8 that no other machine on this host has.
///
/// A bound UDP socket is the lock; it lasts through stop and start, while TCP
/// connections to a stopped machine are refused.
#[derive(Debug)]
pub(super) struct Address {
    address: SocketAddr,
    _lock: UdpSocket,
}

impl Address {
    /// Finds a free one, and its listening socket.
    pub(super) fn claim() -> Result<(Self, TcpListener), MachineError> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in PORTS.into_iter().chain([0]) {
            for _ in 0..TRIES {
                match Self::try_claim(random_loopback(), port) {
                    Ok(claimed) => return Ok(claimed),
                    Err(error) => last = error,
                }
            }
        }
        Err(last).tried(|| "find a free loopback address".to_owned())
    }

    fn try_claim(ip: Ipv4Addr, port: u16) -> io::Result<(Self, TcpListener)> {
        let lock = UdpSocket::bind((ip, port))?;
        let address = SocketAddr::new(IpAddr::V4(ip), lock.local_addr()?.port());
        let listener = TcpListener::bind(address)?;
        Ok((Self { address, _lock: lock }, listener))
    }

    /// The address and port.
    pub(super) fn get(&self) -> SocketAddr {
        self.address
    }

    /// Listens again.
    pub(super) fn listen(&self) -> Result<TcpListener, MachineError> {
        TcpListener::bind(self.address).tried(|| format!("listen on {}", self.address))
    }
}

/// Not in 127.0.0.0/16, where people put services of their own (and Debian its host name).
fn random_loopback() -> Ipv4Addr {
    Ipv4Addr::new(
        127,
        rand::random_range(1..=254),
        rand::random_range(0..=255),
        rand::random_range(1..=254),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_locked_while_it_is_held() {
        let (address, listener) = Address::claim().unwrap();
        let ip = match address.get().ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => unreachable!(),
        };
        assert!(ip.octets()[1] != 0);
        drop(listener);
        assert!(Address::try_claim(ip, address.get().port()).is_err());
        let listener = address.listen().unwrap();
        assert_eq!(listener.local_addr().unwrap(), address.get());
    }
}
