//! Keys made and read on this machine.

use std::sync::Arc;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, PrivateKey};

use crate::communicator::CommunicatorError;
use crate::template::schema::Secret;

/// Kinds of key that can be made (`temporary_key_pair_type`, `temporary_key_pair_bits`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// ECDSA over the NIST curve of 256, 384 or 521 bits.
    Ecdsa(u16),
    /// RSA of that many bits, from 2048 on. Takes seconds: call it off the async threads.
    Rsa(u16),
}

/// A fresh key pair.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The private key in OpenSSH's format.
    pub private: Secret,
    /// The public key as one line of `authorized_keys`.
    pub public: String,
}

impl KeyPair {
    /// Makes a key pair; `comment` ends the public line.
    ///
    /// # Errors
    ///
    /// A size that the type does not have.
    pub fn generate(kind: KeyType, comment: &str) -> Result<Self, CommunicatorError> {
        let mut random = russh::keys::key::safe_rng();
        let mut key = match kind {
            KeyType::Ed25519 => PrivateKey::random(&mut random, Algorithm::Ed25519),
            KeyType::Ecdsa(bits) => {
                let curve = match bits {
                    256 => EcdsaCurve::NistP256,
                    384 => EcdsaCurve::NistP384,
                    521 => EcdsaCurve::NistP521,
                    _ => return Err(unusable(format!("there is no ECDSA key of {bits} bits"))),
                };
                PrivateKey::random(&mut random, Algorithm::Ecdsa { curve })
            }
            KeyType::Rsa(bits) if bits < 2048 => {
                return Err(unusable(format!("an RSA key of {bits} bits is too short")));
            }
            KeyType::Rsa(bits) => {
                russh::keys::ssh_key::private::RsaKeypair::random(&mut random, bits.into())
                    .map(PrivateKey::from)
            }
        }
        .map_err(unusable)?;
        key.set_comment(comment);
        let private = key.to_openssh(LineEnding::LF).map_err(unusable)?;
        let public = key.public_key().to_openssh().map_err(unusable)?;
        Ok(Self { private: Secret::new(private.as_str()), public })
    }
}

/// Reads the text of a private key file.
pub(super) fn read(text: &Secret) -> Result<Arc<PrivateKey>, CommunicatorError> {
    let text = text.reveal();
    if text.contains("ENCRYPTED") {
        return Err(unusable("it is encrypted with a passphrase"));
    }
    let key = russh::keys::decode_secret_key(text, None).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => unusable("it is encrypted with a passphrase"),
        russh::keys::Error::CouldNotReadKey => {
            unusable("it is not a private key in a known format")
        }
        error => unusable(error),
    })?;
    Ok(Arc::new(key))
}

/// Whether the text of a private key file can be logged in with.
///
/// # Errors
/// [`CommunicatorError::Key`] says why not.
pub fn check_private_key(text: &Secret) -> Result<(), CommunicatorError> {
    read(text).map(drop)
}

/// Whether the text of a certificate file can be logged in with, by the holder of `key`. Whether it
/// is valid at this time is for the log-in to find out.
///
/// # Errors
/// Why not.
pub fn check_certificate(text: &str, key: Option<&Secret>) -> Result<(), String> {
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|_| "it is not in OpenSSH's format".to_owned())?;
    if certificate.cert_type() != CertType::User {
        return Err("it is for hosts, not for users".to_owned());
    }
    let key = key.and_then(|key| read(key).ok());
    if key.is_some_and(|key| key.public_key().key_data() != certificate.public_key()) {
        return Err("it is for another key".to_owned());
    }
    Ok(())
}

fn unusable(reason: impl ToString) -> CommunicatorError {
    CommunicatorError::Key { reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_can_be_read() {
        for kind in [KeyType::Ed25519, KeyType::Ecdsa(256), KeyType::Ecdsa(521)] {
            let pair = KeyPair::generate(kind, "bake").unwrap();
            let key = read(&pair.private).unwrap();
            assert_eq!(key.public_key().to_openssh().unwrap(), pair.public);
            assert!(pair.public.ends_with(" bake"), "{}", pair.public);
        }
        assert!(!format!("{:?}", KeyPair::generate(KeyType::Ed25519, "x")).contains("BEGIN"));
    }

    #[test]
    fn what_is_no_key_says_so() {
        let error = read(&Secret::new("hello")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the private key cannot be used: it is not a private key in a known format"
        );
        let locked = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        let error = read(&Secret::new(locked)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the private key cannot be used: it is encrypted with a passphrase"
        );
        assert!(KeyPair::generate(KeyType::Rsa(1024), "").is_err());
        assert!(KeyPair::generate(KeyType::Ecdsa(100), "").is_err());
    }
}
