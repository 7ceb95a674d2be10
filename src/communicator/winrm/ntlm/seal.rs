//! Sealed messages ([MS-NLMP] section 3.4, with extended session security and 128 bits).

use super::crypto::{Key, Rc4, hmac_md5, md5};

/// Length of a signature.
pub(in super::super) const SIGNATURE: usize = 16;

/// Both directions of a connection.
#[derive(Clone)]
pub(in super::super) struct Session {
    outgoing: Half,
    incoming: Half,
}

/// One direction: messages are numbered, and the cipher goes on from one to the next.
#[derive(Clone)]
struct Half {
    sign: Key,
    cipher: Rc4,
    number: u32,
}

impl Session {
    /// The client's end.
    pub(super) fn of_client(key: &Key) -> Self {
        let outgoing = Half::new(key, "client-to-server");
        let incoming = Half::new(key, "server-to-client");
        Self { outgoing, incoming }
    }

    /// The server's end.
    #[cfg(test)]
    pub(super) fn of_server(key: &Key) -> Self {
        let Self { outgoing, incoming } = Self::of_client(key);
        Self { outgoing: incoming, incoming: outgoing }
    }

    /// A message's signature and the message as it is sent.
    pub(in super::super) fn seal(&mut self, message: &[u8]) -> ([u8; SIGNATURE], Vec<u8>) {
        let sealed = self.outgoing.cipher.apply(message);
        (self.outgoing.signature(message), sealed)
    }

    /// A message from the other end.
    ///
    /// # Errors
    /// When the signature is another one.
    pub(in super::super) fn unseal(
        &mut self,
        signature: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, String> {
        let message = self.incoming.cipher.apply(sealed);
        if self.incoming.signature(&message) == signature {
            Ok(message)
        } else {
            Err("its signature is wrong".to_owned())
        }
    }
}

impl Half {
    fn new(key: &Key, direction: &str) -> Self {
        let derived = |what: &str| {
            let magic = format!("session key to {direction} {what} key magic constant\0");
            md5(&[key, magic.as_bytes()])
        };
        Self { sign: derived("signing"), cipher: Rc4::new(&derived("sealing")), number: 0 }
    }

    /// The signature of the next message; its cipher has to have gone over the message.
    fn signature(&mut self, message: &[u8]) -> [u8; SIGNATURE] {
        let number = self.number.to_le_bytes();
        self.number = self.number.wrapping_add(1);
        let [a, b, c, d, e, f, g, h, ..] = hmac_md5(&self.sign, &[&number, message]);
        let sum = self.cipher.apply(&[a, b, c, d, e, f, g, h]);
        let mut signature = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let parts = sum.iter().chain(&number);
        for (to, from) in signature.iter_mut().skip(4).zip(parts) {
            *to = *from;
        }
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::super::crypto::utf16;
    use super::*;

    #[test]
    fn sealing_is_that_of_the_specification() {
        // MS-NLMP 4.2.4.4.
        let hex = |bytes: &[u8]| bytes.iter().map(|one| format!("{one:02x}")).collect::<String>();
        let mut client = Session::of_client(&[0x55; 16]);
        assert_eq!(hex(&client.outgoing.sign), "4788dc861b4782f35d43fd98fe1a2d39");
        let (signature, sealed) = client.seal(&utf16("Plaintext"));
        assert_eq!(hex(&sealed), "54e50165bf1936dc996020c1811b0f06fb5f");
        assert_eq!(hex(&signature), "010000007fb38ec5c55d497600000000");
        let mut server = Session::of_server(&[0x55; 16]);
        assert_eq!(server.unseal(&signature, &sealed).unwrap(), utf16("Plaintext"));
    }

    #[test]
    fn what_was_touched_or_left_out_is_refused() {
        let (mut client, mut server) = (Session::of_client(&[7; 16]), Session::of_server(&[7; 16]));
        let first = server.seal(b"first");
        let second = server.seal(b"second");
        let mut other = client.clone();
        assert!(other.unseal(&second.0, &second.1).is_err());
        let mut other = client.clone();
        assert!(other.unseal(&first.0, b"x").is_err());
        assert_eq!(client.unseal(&first.0, &first.1).unwrap(), b"first");
        assert_eq!(client.unseal(&second.0, &second.1).unwrap(), b"second");
    }
}
