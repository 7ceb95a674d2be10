//! Functions for digests and identifiers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use uuid::Uuid;

use super::declaration::{Call, Failure, Function, Of, Outcome, number, string};
use super::filesystem::read;
use crate::value::{Marks, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "base64sha256",
        &[string("text")],
        Of::String,
        "the SHA-256 digest in base64",
        |call| Ok(base64(sha2::Sha256::digest(call.text(0)))),
    ),
    Function::new(
        "base64sha512",
        &[string("text")],
        Of::String,
        "the SHA-512 digest in base64",
        |call| Ok(base64(sha2::Sha512::digest(call.text(0)))),
    ),
    Function::new(
        "bcrypt",
        &[string("text")],
        Of::String,
        "a salted hash of a password, new at each call; the cost is 10 unless one from 4 to 16 is given",
        bcrypt,
    )
    .variadic(number("cost")),
    Function::new(
        "filebase64sha256",
        &[string("path")],
        Of::String,
        "the SHA-256 digest of a file in base64",
        |call| Ok(base64(sha2::Sha256::digest(read(call, 0)?))),
    ),
    Function::new(
        "filebase64sha512",
        &[string("path")],
        Of::String,
        "the SHA-512 digest of a file in base64",
        |call| Ok(base64(sha2::Sha512::digest(read(call, 0)?))),
    ),
    Function::new("filemd5", &[string("path")], Of::String, "the MD5 digest of a file", |call| {
        Ok(hex(md5::Md5::digest(read(call, 0)?)))
    }),
    Function::new(
        "filesha1",
        &[string("path")],
        Of::String,
        "the SHA-1 digest of a file",
        |call| Ok(hex(sha1::Sha1::digest(read(call, 0)?))),
    ),
    Function::new(
        "filesha256",
        &[string("path")],
        Of::String,
        "the SHA-256 digest of a file",
        |call| Ok(hex(sha2::Sha256::digest(read(call, 0)?))),
    ),
    Function::new(
        "filesha512",
        &[string("path")],
        Of::String,
        "the SHA-512 digest of a file",
        |call| Ok(hex(sha2::Sha512::digest(read(call, 0)?))),
    ),
    Function::new("md5", &[string("text")], Of::String, "the MD5 digest", |call| {
        Ok(hex(md5::Md5::digest(call.text(0))))
    }),
    Function::new(
        "rsadecrypt",
        &[string("text"), string("key")],
        Of::String,
        "the text that was encrypted for an RSA key (PKCS #1 v1.5) and is in base64",
        rsadecrypt,
    ),
    Function::new("sha1", &[string("text")], Of::String, "the SHA-1 digest", |call| {
        Ok(hex(sha1::Sha1::digest(call.text(0))))
    }),
    Function::new("sha256", &[string("text")], Of::String, "the SHA-256 digest", |call| {
        Ok(hex(sha2::Sha256::digest(call.text(0))))
    }),
    Function::new("sha512", &[string("text")], Of::String, "the SHA-512 digest", |call| {
        Ok(hex(sha2::Sha512::digest(call.text(0))))
    }),
    Function::new("uuid", &[], Of::String, "another name of `uuidv4`", uuidv4),
    Function::new("uuidv4", &[], Of::String, "a random UUID, new at each call", uuidv4),
    Function::new(
        "uuidv5",
        &[string("namespace"), string("name")],
        Of::String,
        "the UUID of a name in a namespace: `dns`, `url`, `oid`, `x500` or a UUID",
        uuidv5,
    ),
    Function::missing(
        "aws_secretsmanager",
        "a secret of AWS Secrets Manager",
        "look it up before the build and pass it in as a sensitive variable",
    ),
    Function::missing(
        "aws_secretsmanager_raw",
        "a secret of AWS Secrets Manager as it is",
        "look it up before the build and pass it in as a sensitive variable",
    ),
    Function::missing(
        "consul_key",
        "a value of Consul",
        "look it up before the build and pass it in as a variable",
    ),
    Function::missing(
        "vault",
        "a secret of Vault",
        "look it up before the build and pass it in as a sensitive variable",
    ),
];

fn hex(digest: impl AsRef<[u8]>) -> Value {
    Value::string(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn base64(digest: impl AsRef<[u8]>) -> Value {
    Value::string(STANDARD.encode(digest))
}

/// The cost of `bcrypt` when none is given.
const COST: i64 = 10;
/// The largest cost: each more doubles the time, and this one takes seconds.
const MOST_COST: i64 = 16;
/// The longest password, of which `bcrypt` sees every byte.
const PASSWORD: usize = 72;

fn bcrypt(call: &Call<'_>) -> Outcome {
    let cost = match call.arguments.len() {
        1 => COST,
        // As in Packer, whose library takes a cost that is too small for none.
        2 if call.integer(1)? < 4 => COST,
        2 => call.integer(1)?,
        _ => return Err(Failure::of(2, "only one cost can be given")),
    };
    if !(0..=MOST_COST).contains(&cost) {
        let message = format!("a cost from 4 to {MOST_COST} is required, not {}", call.shown(1));
        return Err(Failure::of(1, message)
            .help("each more doubles the time it takes, for bake as for who guesses"));
    }
    if call.text(0).len() > PASSWORD {
        return Err(Failure::of(0, format!("a password has at most {PASSWORD} bytes")));
    }
    let cost = u32::try_from(cost).unwrap_or_default();
    bcrypt::hash_with_salt(call.text(0), cost, call.context().random())
        .map(|hash| hash.format_for_version(bcrypt::Version::TwoA))
        .map(|hash| Value::string(hash).marked(Marks::VOLATILE))
        .map_err(|_| Failure::new("the hash cannot be made"))
}

/// Decrypts what `openssl pkeyutl -encrypt` made.
///
/// How long it takes depends on the key in ways that an observer of many decryptions could use
/// (RUSTSEC-2023-0071); here whoever can ask for one has the key.
fn rsadecrypt(call: &Call<'_>) -> Outcome {
    let text: String = call.text(0).chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    let encrypted = STANDARD
        .decode(text)
        .map_err(|_| Failure::of(0, format!("{} is not base64", call.shown(0))))?;
    let decrypted = private_key(call, 1)?
        .decrypt(rsa::Pkcs1v15Encrypt, &encrypted)
        .map_err(|_| Failure::of(0, "this was not encrypted for this key"))?;
    String::from_utf8(decrypted)
        .map(Value::string)
        .map_err(|_| Failure::of(0, "what is encrypted is not UTF-8 text"))
}

/// The longest key that is read: one of 8192 bits has 6400 bytes, and larger ones take long.
const PEM_LENGTH: usize = 8 << 10;

/// Argument `at`, a private RSA key. A key is a secret whatever its marks, so it is not shown.
fn private_key(call: &Call<'_>, at: usize) -> Result<rsa::RsaPrivateKey, Failure> {
    use rsa::pkcs1::DecodeRsaPrivateKey;
    use rsa::pkcs8::DecodePrivateKey;
    const PEM: &str = "a private RSA key in PEM begins with `-----BEGIN RSA PRIVATE KEY-----` or \
        `-----BEGIN PRIVATE KEY-----`";
    let key = call.text(at);
    let wrong = |message: &str, help: &str| Err(Failure::of(at, message).help(help));
    if key.len() > PEM_LENGTH {
        return wrong("this is too long for a private RSA key", PEM);
    }
    let Some(begin) = key.find("-----BEGIN ") else {
        return wrong("this is not a private RSA key in PEM", PEM);
    };
    let pem = key.get(begin..).unwrap_or_default();
    if pem.contains("ENCRYPTED") {
        return wrong(
            "this key is protected by a passphrase",
            "take it off, for instance with `openssl pkey`, and pass the key in as a sensitive variable",
        );
    }
    if pem.contains("OPENSSH PRIVATE KEY") {
        return wrong(
            "keys in OpenSSH's own format are not read",
            "convert it with `ssh-keygen -p -m PEM -f KEY`",
        );
    }
    match rsa::RsaPrivateKey::from_pkcs1_pem(pem)
        .or_else(|_| rsa::RsaPrivateKey::from_pkcs8_pem(pem))
    {
        Ok(key) => Ok(key),
        Err(_) => wrong("this is not a private RSA key in PEM", PEM),
    }
}

fn uuidv4(call: &Call<'_>) -> Outcome {
    let uuid = uuid::Builder::from_random_bytes(call.context().random()).into_uuid();
    Ok(Value::string(uuid.to_string()).marked(Marks::VOLATILE))
}

fn uuidv5(call: &Call<'_>) -> Outcome {
    let namespace = match call.text(0) {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => Uuid::parse_str(other).map_err(|_| {
            Failure::of(0, format!("{} is not a namespace", call.shown(0)))
                .help("namespaces are `dns`, `url`, `oid`, `x500` and UUIDs")
        })?,
    };
    Ok(Value::string(Uuid::new_v5(&namespace, call.text(1).as_bytes()).to_string()))
}
