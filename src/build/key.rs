//! Temporary key pairs, made on this machine: the private half never leaves it.

use std::fmt;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{Algorithm, PrivateKey};
use zeroize::Zeroizing;

use super::BuildError;

/// Bits of an RSA key when the template does not say.
const RSA_BITS: usize = 3072;

/// Kinds of keys that EC2 imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// Ed25519.
    #[default]
    Ed25519,
    /// RSA.
    Rsa {
        /// Size of the modulus.
        bits: Option<u32>,
    },
}

/// A key pair in OpenSSH's text formats.
#[derive(Clone)]
pub struct LocalKey {
    private: Zeroizing<String>,
    public: String,
}

impl LocalKey {
    /// Makes a key pair. RSA takes a moment, so this runs on a thread of its own.
    pub async fn generate(kind: KeyKind, comment: &str) -> Result<Self, BuildError> {
        let comment = comment.to_owned();
        tokio::task::spawn_blocking(move || Self::generate_now(kind, &comment))
            .await
            .map_err(|error| BuildError::Key(format!("the key pair could not be made: {error}")))?
    }

    fn generate_now(kind: KeyKind, comment: &str) -> Result<Self, BuildError> {
        let wrong = |error: russh::keys::ssh_key::Error| {
            BuildError::Key(format!("the key pair could not be made: {error}"))
        };
        let mut key = match kind {
            KeyKind::Ed25519 => {
                PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(wrong)?
            }
            KeyKind::Rsa { bits } => {
                let bits = bits.and_then(|bits| bits.try_into().ok()).unwrap_or(RSA_BITS);
                let pair = RsaKeypair::random(&mut rand::rng(), bits).map_err(wrong)?;
                PrivateKey::new(KeypairData::Rsa(pair), "").map_err(wrong)?
            }
        };
        key.set_comment(comment);
        Ok(Self {
            public: key.public_key().to_openssh().map_err(wrong)?,
            private: key.to_openssh(LineEnding::LF).map_err(wrong)?,
        })
    }

    /// The private key.
    pub fn private(&self) -> &Zeroizing<String> {
        &self.private
    }

    /// The public key, as in `authorized_keys`.
    pub fn public(&self) -> &str {
        &self.public
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKey({})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_kinds_are_made_and_the_halves_fit() {
        for (kind, prefix) in
            [(KeyKind::Ed25519, "ssh-ed25519 "), (KeyKind::Rsa { bits: Some(2048) }, "ssh-rsa ")]
        {
            let key = LocalKey::generate(kind, "bake_test").await.expect("is made");
            assert!(key.public().starts_with(prefix), "{}", key.public());
            assert!(key.public().ends_with(" bake_test"));
            let read = PrivateKey::from_openssh(key.private().as_bytes()).expect("is readable");
            assert_eq!(read.public_key().to_openssh().expect("is writable"), key.public());
            assert!(!format!("{key:?}").contains("PRIVATE"));
        }
    }
}
