//! What goes through Run Command, sealed: the account keeps commands and their output for 30 days.
//!
//! The instance makes an RSA key pair, gets a secret for it, and forgets the key. With that secret
//! both sides encrypt as `openssl enc -aes-256-cbc -md sha256` does, so that the instance needs
//! nothing else. Whoever reads the history could have changed nothing in it, so nothing is signed;
//! what travels in pieces is compared by digest for another reason.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{BoxedUint, Oaep, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What OpenSSL writes before the salt.
const MAGIC: &[u8] = b"Salted__";
/// Bytes of the salt.
const SALT: usize = 8;
/// Bytes of a block, and so of the initial vector.
const BLOCK: usize = 16;
/// The least that an instance's key may have.
const BITS: u32 = 2048;

/// The secret that this machine and an instance share.
pub(super) struct Seal {
    /// 64 hexadecimal digits, which are a word for every shell.
    secret: Zeroizing<String>,
}

impl Seal {
    /// A new one.
    pub(super) fn new() -> Self {
        let digits = || format!("{:032x}", rand::random::<u128>());
        Self { secret: Zeroizing::new(digits() + &digits()) }
    }

    /// The secret for whoever has the private key of this public one: DER in base64, or modulus and
    /// exponent in base64 with a comma between them.
    pub(super) fn for_key(&self, key: &str) -> Result<Vec<u8>, String> {
        let decode = |text: &str| STANDARD.decode(text).map_err(|error| error.to_string());
        let key = match key.split_once(',') {
            None => RsaPublicKey::from_public_key_der(&decode(key)?).map_err(|e| e.to_string())?,
            Some((modulus, exponent)) => {
                let number = |text: &str| {
                    let bytes = decode(text)?;
                    let bits = u32::try_from(bytes.len() * 8).map_err(|error| error.to_string())?;
                    BoxedUint::from_be_slice(&bytes, bits).map_err(|error| error.to_string())
                };
                RsaPublicKey::new(number(modulus)?, number(exponent)?).map_err(|e| e.to_string())?
            }
        };
        if rsa::traits::PublicKeyParts::n(&key).bits() < BITS {
            return Err("the key is too short".to_owned());
        }
        // All that Windows' older .NET and OpenSSL's defaults have in common.
        let padding = Oaep::<Sha1>::new();
        key.encrypt(&mut rand::rng(), padding, self.secret.as_bytes())
            .map_err(|error| error.to_string())
    }

    /// Key and initial vector for a salt, as OpenSSL derives them; the secret is as random as the
    /// key, so one round will do.
    fn derive(&self, salt: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; BLOCK]) {
        let digest = |before: &[u8]| -> [u8; 32] {
            let hasher = Sha256::new();
            hasher
                .chain_update(before)
                .chain_update(self.secret.as_bytes())
                .chain_update(salt)
                .finalize()
                .into()
        };
        let key = Zeroizing::new(digest(&[]));
        let next = digest(key.as_slice());
        let mut vector = [0; BLOCK];
        for (to, from) in vector.iter_mut().zip(next) {
            *to = from;
        }
        (key, vector)
    }

    /// Encrypts.
    pub(super) fn close(&self, plain: &[u8]) -> Vec<u8> {
        let salt: [u8; SALT] = rand::random();
        let (key, vector) = self.derive(&salt);
        let mut room = vec![0; plain.len() + BLOCK];
        let encryptor = cbc::Encryptor::<aes::Aes256>::new((&*key).into(), &vector.into());
        let sealed = encryptor
            .encrypt_padded_b2b::<Pkcs7>(plain, &mut room)
            .expect("there is room for one more block");
        [MAGIC, &salt, sealed].concat()
    }

    /// Decrypts. `None` when it is no whole seal; one with another secret gives nonsense, or `None`.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (salt, sealed) = sealed.strip_prefix(MAGIC)?.split_at_checked(SALT)?;
        let (key, vector) = self.derive(salt);
        let mut room = sealed.to_vec();
        let decryptor = cbc::Decryptor::<aes::Aes256>::new((&*key).into(), &vector.into());
        decryptor.decrypt_padded::<Pkcs7>(&mut room).ok().map(<[u8]>::to_vec)
    }

    #[cfg(test)]
    pub(super) fn of(secret: String) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    #[cfg(test)]
    pub(super) fn reveal(&self) -> &str {
        &self.secret
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        output.stdout
    }

    #[test]
    fn what_one_side_seals_the_other_opens() {
        let seal = Seal::new();
        for text in [&b""[..], b"x", &[7; 16], &[9; 1000]] {
            assert_eq!(seal.open(&seal.close(text)).as_deref(), Some(text));
        }
        assert_ne!(seal.close(b"same"), seal.close(b"same"));
        assert_ne!(Seal::new().open(&seal.close(&[7; 100])).as_deref(), Some(&[7; 100][..]));
        for broken in [&b""[..], b"Salted__", b"Salted__12345678", b"Salted__12345678x", b"plain"] {
            assert_eq!(seal.open(broken), None);
        }
    }

    #[test]
    fn openssl_opens_and_seals_the_same() {
        let seal = Seal::new();
        let pass = format!("pass:{}", seal.reveal());
        let cipher = ["enc", "-aes-256-cbc", "-md", "sha256", "-pass", &pass];
        let opened = openssl(&[&cipher[..], &["-d"]].concat(), &seal.close(b"a secret"));
        assert_eq!(opened, b"a secret");
        let sealed = openssl(&[&cipher[..], &["-salt"]].concat(), b"an answer");
        assert_eq!(seal.open(&sealed).unwrap(), b"an answer");
    }

    #[test]
    fn only_the_key_of_the_instance_gets_at_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let file = file.to_str().unwrap();
        openssl(&["genrsa", "-out", file, "2048"], b"");
        let public = openssl(&["rsa", "-in", file, "-pubout", "-outform", "DER"], b"");
        let seal = Seal::new();
        let wrapped = seal.for_key(&STANDARD.encode(&public)).unwrap();
        let padding = ["-pkeyopt", "rsa_padding_mode:oaep"];
        let decrypt = [&["pkeyutl", "-decrypt", "-inkey", file][..], &padding].concat();
        assert_eq!(openssl(&decrypt, &wrapped), seal.reveal().as_bytes());

        // The same key as .NET names it.
        let key = RsaPublicKey::from_public_key_der(&public).unwrap();
        let n = rsa::traits::PublicKeyParts::n(&key).to_be_bytes();
        let named = format!("{},{}", STANDARD.encode(n), STANDARD.encode([1, 0, 1]));
        assert_eq!(openssl(&decrypt, &seal.for_key(&named).unwrap()), seal.reveal().as_bytes());

        openssl(&["genrsa", "-out", file, "1024"], b"");
        let short = openssl(&["rsa", "-in", file, "-pubout", "-outform", "DER"], b"");
        assert!(seal.for_key(&STANDARD.encode(short)).is_err());
        for wrong in ["", "AAAA", "?", "AAAA,AQAB", ","] {
            assert!(seal.for_key(wrong).is_err(), "{wrong}");
        }
    }
}
