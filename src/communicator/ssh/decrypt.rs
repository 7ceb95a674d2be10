//! What was encrypted for a key: EC2 hands passwords of Windows instances out like that.

use russh::keys::PrivateKey;

use super::key::read;
use crate::communicator::CommunicatorError;
use crate::template::schema::Secret;

/// Decrypts bytes that were encrypted for an RSA key (PKCS #1 v1.5).
///
/// # Errors
/// [`CommunicatorError::Key`] when the key cannot be read, is of another type, or not the one.
pub fn decrypt(key: &Secret, encrypted: &[u8]) -> Result<Vec<u8>, CommunicatorError> {
    rsa_key(key)?
        .decrypt(rsa::Pkcs1v15Encrypt, encrypted)
        .map_err(|_| unusable("it is another key than the one that this was encrypted for"))
}

/// Whether a private key is one that things can be encrypted for.
///
/// # Errors
/// [`CommunicatorError::Key`] says why not.
pub fn check_decryption_key(key: &Secret) -> Result<(), CommunicatorError> {
    rsa_key(key).map(drop)
}

fn rsa_key(key: &Secret) -> Result<rsa::RsaPrivateKey, CommunicatorError> {
    let key: &PrivateKey = &*read(key)?;
    let pair = key.key_data().rsa().ok_or_else(|| {
        unusable(
            "it is no RSA key, and EC2 encrypts the passwords of Windows instances for no other",
        )
    })?;
    rsa::RsaPrivateKey::try_from(pair).map_err(|error| unusable(&error.to_string()))
}

fn unusable(reason: &str) -> CommunicatorError {
    CommunicatorError::Key { reason: reason.to_owned() }
}

/// Encrypts bytes for the owner of a public key, as EC2 does.
#[cfg(test)]
pub(crate) fn encrypt(public: &str, bytes: &[u8]) -> Vec<u8> {
    let key = russh::keys::PublicKey::from_openssh(public).unwrap();
    let key = rsa::RsaPublicKey::try_from(key.key_data().rsa().unwrap()).unwrap();
    key.encrypt(&mut russh::keys::key::safe_rng(), rsa::Pkcs1v15Encrypt, bytes).unwrap()
}

#[cfg(test)]
mod tests {
    use super::super::{KeyPair, KeyType};
    use super::*;

    #[test]
    fn only_the_key_itself_decrypts() {
        let pair = KeyPair::generate(KeyType::Rsa(2048), "").unwrap();
        let encrypted = encrypt(&pair.public, b"S3cret!");
        assert_eq!(decrypt(&pair.private, &encrypted).unwrap(), b"S3cret!");
        let mut changed = encrypted.clone();
        changed[0] ^= 1;
        let error = decrypt(&pair.private, &changed).unwrap_err();
        insta::assert_snapshot!(error, @"the private key cannot be used: it is another key than the one that this was encrypted for");
        let other = KeyPair::generate(KeyType::Ed25519, "").unwrap();
        let error = decrypt(&other.private, &encrypted).unwrap_err();
        insta::assert_snapshot!(error, @"the private key cannot be used: it is no RSA key, and EC2 encrypts the passwords of Windows instances for no other");
    }
}
