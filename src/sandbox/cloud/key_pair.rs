//! Key pairs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use md5::Md5;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::filter::{Field, Filter, Filterable, select};
use super::session::Session;
use super::tag::{TagSpecification, tags_for};
use super::{CloudError, Tags, id};

/// A public key under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// `key-…`
    pub id: String,
    /// Unique in the region.
    pub name: String,
    /// `rsa` or `ed25519`.
    pub key_type: &'static str,
    /// As EC2 computes it.
    pub fingerprint: String,
    /// One OpenSSH line.
    pub public_key: String,
    /// When it was made or imported.
    pub created: Timestamp,
    /// Its tags.
    pub tags: Tags,
}

impl Filterable for KeyPair {
    const FIELDS: &'static [Field<Self>] = &[
        ("key-name", |k| vec![k.name.clone()]),
        ("key-pair-id", |k| vec![k.id.clone()]),
        ("fingerprint", |k| vec![k.fingerprint.clone()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// The kinds of keys that EC2 takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// 2048 bits.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// A public key that was checked.
#[derive(Clone, Debug)]
pub struct PublicMaterial {
    key_type: &'static str,
    fingerprint: String,
    line: String,
}

/// A fresh key.
pub struct Generated {
    /// Its public half.
    pub public: PublicMaterial,
    /// Its private half, in OpenSSH's format.
    pub private: Zeroizing<String>,
}

/// Makes a key. RSA takes a moment: do it before the cloud is locked.
pub fn generate(key_type: KeyType) -> Result<Generated, CloudError> {
    let failed = |error: russh::keys::ssh_key::Error| {
        CloudError::internal(format!("no key could be made: {error}"))
    };
    let mut rng = rand::rng();
    let key = match key_type {
        KeyType::Ed25519 => PrivateKey::random(&mut rng, Algorithm::Ed25519).map_err(failed)?,
        KeyType::Rsa => {
            let pair = RsaKeypair::random(&mut rng, 2048).map_err(failed)?;
            PrivateKey::new(KeypairData::Rsa(pair), "").map_err(failed)?
        }
    };
    let private = key.to_openssh(LineEnding::LF).map_err(failed)?;
    Ok(Generated { public: public_material(key.public_key())?, private })
}

/// Checks the material of ImportKeyPair: an OpenSSH line with an RSA or Ed25519 key.
pub fn parse_public_key(material: &[u8]) -> Result<PublicMaterial, CloudError> {
    let text = std::str::from_utf8(material).map_err(|_| key_format())?;
    public_material(&PublicKey::from_openssh(text.trim()).map_err(|_| key_format())?)
}

fn key_format() -> CloudError {
    CloudError::new("InvalidKey.Format", "Key is not in valid OpenSSH public key format")
}

fn public_material(key: &PublicKey) -> Result<PublicMaterial, CloudError> {
    let (key_type, fingerprint) = match key.key_data() {
        KeyData::Ed25519(_) => {
            let blob = key.to_bytes().map_err(|_| key_format())?;
            ("ed25519", STANDARD.encode(Sha256::digest(blob)))
        }
        KeyData::Rsa(rsa) => {
            let der = subject_public_key_info(rsa.n().as_bytes(), rsa.e().as_bytes());
            let digits: Vec<String> =
                Md5::digest(der).iter().map(|byte| format!("{byte:02x}")).collect();
            ("rsa", digits.join(":"))
        }
        _ => return Err(key_format()),
    };
    let line = key.to_openssh().map_err(|_| key_format())?;
    Ok(PublicMaterial { key_type, fingerprint, line })
}

/// The DER form of an RSA public key (RFC 5280), which EC2's fingerprint is a digest of.
fn subject_public_key_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        let length: Vec<u8> =
            content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        match length.as_slice() {
            [] => out.push(0),
            [short] if *short < 0x80 => out.push(*short),
            long => {
                out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
                out.extend(long);
            }
        }
        out.extend(content);
        out
    }
    const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let algorithm = der(0x30, &[der(0x06, RSA_ENCRYPTION), der(0x05, &[])].concat());
    let key = der(0x30, &[der(0x02, modulus), der(0x02, exponent)].concat());
    let bits = [&[0_u8][..], &key].concat();
    der(0x30, &[algorithm, der(0x03, &bits)].concat())
}

impl Session<'_> {
    /// CreateKeyPair and ImportKeyPair, once the key is there.
    pub fn add_key_pair(
        &mut self,
        name: &str,
        material: &PublicMaterial,
        tags: &[TagSpecification],
    ) -> Result<KeyPair, CloudError> {
        if name.is_empty() || name.len() > 255 {
            return Err(CloudError::invalid_value("KeyName", name));
        }
        if self.region.key_pairs.contains_key(name) {
            return Err(CloudError::new(
                "InvalidKeyPair.Duplicate",
                format!("The keypair already exists: {name}"),
            ));
        }
        let pair = KeyPair {
            id: id::fresh("key"),
            name: name.to_owned(),
            key_type: material.key_type,
            fingerprint: material.fingerprint.clone(),
            public_key: material.line.clone(),
            created: self.now,
            tags: tags_for(tags, "key-pair", &["key-pair"])?,
        };
        self.region.key_pairs.insert(name.to_owned(), pair.clone());
        Ok(pair)
    }

    pub(crate) fn key_pair(&self, name: &str) -> Result<&KeyPair, CloudError> {
        self.region.key_pairs.get(name).ok_or_else(|| {
            CloudError::new(
                "InvalidKeyPair.NotFound",
                format!("The key pair '{name}' does not exist"),
            )
        })
    }

    /// DescribeKeyPairs.
    pub fn describe_key_pairs(
        &self,
        names: &[String],
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<KeyPair>, CloudError> {
        for name in names {
            self.key_pair(name)?;
        }
        for id in ids {
            if !self.region.key_pairs.values().any(|pair| pair.id == *id) {
                return Err(CloudError::new(
                    "InvalidKeyPair.NotFound",
                    format!("The key pair ID '{id}' does not exist"),
                ));
            }
        }
        let all = names.is_empty() && ids.is_empty();
        let pairs = self.region.key_pairs.values();
        let chosen = pairs.filter(|p| all || names.contains(&p.name) || ids.contains(&p.id));
        select(chosen.cloned(), filters)
    }

    /// DeleteKeyPair by name or id. A pair that is not there is no error; gives the id of one that was.
    pub fn delete_key_pair(&mut self, name: Option<&str>, id: Option<&str>) -> Option<String> {
        let mut pairs = self.region.key_pairs.values();
        let found =
            pairs.find(|pair| Some(pair.name.as_str()) == name || Some(pair.id.as_str()) == id)?;
        let name = found.name.clone();
        self.region.key_pairs.remove(&name).map(|pair| pair.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_one_that_can_be_imported() {
        for (key_type, name) in [(KeyType::Ed25519, "ed25519"), (KeyType::Rsa, "rsa")] {
            let made = generate(key_type).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(made.public.key_type, name);
            assert!(made.private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
            let parsed = parse_public_key(made.public.line.as_bytes());
            assert!(parsed.is_ok_and(|parsed| parsed.fingerprint == made.public.fingerprint));
        }
    }

    #[test]
    fn other_material_is_refused() {
        for text in ["", "ssh-rsa", "ssh-ed25519 AAAA", "-----BEGIN PUBLIC KEY-----"] {
            assert!(
                parse_public_key(text.as_bytes()).is_err_and(|e| e.code == "InvalidKey.Format")
            );
        }
        assert!(parse_public_key(&[0xff, 0xfe]).is_err());
    }
}
