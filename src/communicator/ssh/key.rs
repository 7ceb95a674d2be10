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

/// Whether the text of a certificate file can be logged in with at `now`, by the holder of `key`.
///
/// # Errors
/// Why not.
pub fn check_certificate(
    text: &str,
    key: Option<&Secret>,
    now: jiff::Timestamp,
) -> Result<(), String> {
    let certificate = certificate(text)?;
    let key = key.and_then(|key| read(key).ok());
    if key.is_some_and(|key| key.public_key().key_data() != certificate.public_key()) {
        return Err("it is for another key".to_owned());
    }
    let now = u64::try_from(now.as_second()).unwrap_or_default();
    if now < certificate.valid_after() {
        return Err(format!("it is not valid before {}", time(certificate.valid_after())));
    }
    if now >= certificate.valid_before() {
        return Err(format!("it is not valid since {}", time(certificate.valid_before())));
    }
    Ok(())
}

/// Reads a private key and the certificate for it.
pub(super) fn read_certified(
    key: &Secret,
    text: &str,
) -> Result<(Arc<PrivateKey>, Certificate), CommunicatorError> {
    let key = read(key)?;
    let wrong = |reason: String| unusable(format!("its certificate is of no use: {reason}"));
    let certificate = certificate(text).map_err(wrong)?;
    if key.public_key().key_data() != certificate.public_key() {
        return Err(wrong("it is for another key".to_owned()));
    }
    Ok((key, certificate))
}

fn certificate(text: &str) -> Result<Certificate, String> {
    let certificate = Certificate::from_openssh(text.trim())
        .map_err(|_| "it is not in OpenSSH's format".to_owned())?;
    if certificate.cert_type() != CertType::User {
        return Err("it is for hosts, not for users".to_owned());
    }
    Ok(certificate)
}

/// A moment of a certificate, which counts seconds, in words.
fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).ok();
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "the end of time".to_owned(), |time| time.to_string())
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

    /// A certificate for a key, from an authority of its own.
    fn certificate_of(key: &KeyPair, kind: CertType) -> String {
        let mut random = russh::keys::key::safe_rng();
        let authority = PrivateKey::random(&mut random, Algorithm::Ed25519).unwrap();
        let key = read(&key.private).unwrap();
        let mut builder = russh::keys::ssh_key::certificate::Builder::new_with_random_nonce(
            &mut random,
            key.public_key().key_data().clone(),
            1_000_000,
            4_000_000_000,
        )
        .unwrap();
        builder.cert_type(kind).unwrap();
        builder.valid_principal("admin").unwrap();
        builder.sign(&authority).unwrap().to_openssh().unwrap()
    }

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_certificate_belongs_to_a_user_and_a_key() {
        let key = KeyPair::generate(KeyType::Ed25519, "").unwrap();
        let other = KeyPair::generate(KeyType::Ed25519, "").unwrap();
        let user = certificate_of(&key, CertType::User);
        let now = at(1_700_000_000);
        assert_eq!(check_certificate(&user, Some(&key.private), now), Ok(()));
        assert_eq!(check_certificate(&user, None, now), Ok(()));
        assert!(read_certified(&key.private, &user).is_ok());
        for (text, key, problem) in [
            (user.as_str(), &other, "it is for another key"),
            (&certificate_of(&key, CertType::Host), &key, "it is for hosts, not for users"),
            (&key.public, &key, "it is not in OpenSSH's format"),
        ] {
            assert_eq!(check_certificate(text, Some(&key.private), now), Err(problem.to_owned()));
            let error = read_certified(&key.private, text).unwrap_err().to_string();
            assert!(error.ends_with(problem), "{error}");
        }
    }

    #[test]
    fn a_certificate_has_its_time() {
        let key = KeyPair::generate(KeyType::Ed25519, "").unwrap();
        let user = certificate_of(&key, CertType::User);
        let check = |second| check_certificate(&user, None, at(second));
        assert_eq!(check(999_999), Err("it is not valid before 1970-01-12T13:46:40Z".to_owned()));
        assert_eq!((check(1_000_000), check(3_999_999_999)), (Ok(()), Ok(())));
        assert_eq!(
            check(4_000_000_000),
            Err("it is not valid since 2096-10-02T07:06:40Z".to_owned())
        );
    }
}
