//! Which algorithms are offered to a server.

use std::borrow::Cow;

use russh::{Preferred, cipher, compression, kex, mac};

/// Fastest first where the processor has AES instructions; all of them are sound.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Also those that a template may ask for, for the sake of old servers.
const MORE_CIPHERS: &[cipher::Name] =
    &[cipher::AES_128_CBC, cipher::AES_192_CBC, cipher::AES_256_CBC];

/// What Packer offers is offered too, so that no server is lost; the weak one is the last.
const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
];

/// Also those that a template may ask for.
const MORE_KEY_EXCHANGES: &[kex::Name] = &[kex::DH_GEX_SHA1, kex::DH_G1_SHA1];

/// No algorithms, but what client and server tell each other in the same list.
const EXTENSIONS: &[kex::Name] =
    &[kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

/// SHA-1 is sound in an HMAC; servers from before 2011 have no other.
const MACS: &[mac::Name] = &[
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512,
    mac::HMAC_SHA256,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

/// Ciphers and key exchanges that are offered, best first (`ssh_ciphers`,
/// `ssh_key_exchange_algorithms`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithms {
    ciphers: Vec<cipher::Name>,
    key_exchanges: Vec<kex::Name>,
}

impl Default for Algorithms {
    /// All that are sound.
    fn default() -> Self {
        Self { ciphers: CIPHERS.to_vec(), key_exchanges: KEY_EXCHANGES.to_vec() }
    }
}

impl Algorithms {
    /// These ciphers and key exchanges; an empty list stands for the default.
    ///
    /// # Errors
    /// The first name that bake does not know.
    pub fn named(ciphers: &[String], key_exchanges: &[String]) -> Result<Self, String> {
        let mut algorithms = Self::default();
        if !ciphers.is_empty() {
            let found = ciphers.iter().map(|name| find(name, all_ciphers()));
            algorithms.ciphers = found.collect::<Result<_, _>>()?;
        }
        if !key_exchanges.is_empty() {
            let found = key_exchanges.iter().map(|name| find(name, all_key_exchanges()));
            algorithms.key_exchanges = found.collect::<Result<_, _>>()?;
        }
        Ok(algorithms)
    }

    /// Names of all ciphers that can be asked for.
    pub fn ciphers() -> Vec<&'static str> {
        names(CIPHERS.iter().chain(MORE_CIPHERS))
    }

    /// Names of all key exchanges that can be asked for.
    pub fn key_exchanges() -> Vec<&'static str> {
        names(KEY_EXCHANGES.iter().chain(MORE_KEY_EXCHANGES))
    }

    /// What the library is to offer.
    pub(super) fn preferred(&self) -> Preferred {
        let kex = self.key_exchanges.iter().chain(EXTENSIONS).copied().collect();
        Preferred {
            kex: Cow::Owned(kex),
            cipher: Cow::Owned(self.ciphers.clone()),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        }
    }
}

fn all_ciphers() -> impl Iterator<Item = cipher::Name> {
    CIPHERS.iter().chain(MORE_CIPHERS).copied()
}

fn all_key_exchanges() -> impl Iterator<Item = kex::Name> {
    KEY_EXCHANGES.iter().chain(MORE_KEY_EXCHANGES).copied()
}

fn find<T: AsRef<str>>(name: &str, mut known: impl Iterator<Item = T>) -> Result<T, String> {
    known.find(|one| one.as_ref() == name).ok_or_else(|| name.to_owned())
}

fn names<'a, T: AsRef<str> + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<&'a str> {
    all.map(AsRef::as_ref).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_in_their_order() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let ciphers = list(&["aes128-ctr", "aes256-cbc"]);
        let algorithms = Algorithms::named(&ciphers, &[]).unwrap();
        assert_eq!(algorithms.ciphers, [cipher::AES_128_CTR, cipher::AES_256_CBC]);
        assert_eq!(algorithms.key_exchanges, KEY_EXCHANGES);
        // What is not an algorithm is told all the same: without it RSA keys cannot log in.
        assert!(algorithms.preferred().kex.contains(&kex::EXTENSION_SUPPORT_AS_CLIENT));
        let exchanges = list(&["diffie-hellman-group1-sha1"]);
        let algorithms = Algorithms::named(&[], &exchanges).unwrap();
        assert_eq!(algorithms.key_exchanges, [kex::DH_G1_SHA1]);
        assert_eq!(Algorithms::named(&list(&["arcfour"]), &[]), Err("arcfour".to_owned()));
    }
}
