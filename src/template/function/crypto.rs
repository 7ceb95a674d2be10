//! Functions for digests and identifiers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;
use uuid::Uuid;

use super::declaration::{Call, Failure, Function, Of, Outcome, string};
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
    Function::missing(
        "bcrypt",
        "a salted hash for passwords",
        "hash the password before the build",
    ),
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
    Function::missing(
        "rsadecrypt",
        "decrypts a text with a private RSA key",
        "decrypt the text before the build and pass it in as a sensitive variable",
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
    Function::new("uuidv4", &[], Of::String, "a random UUID, new at each call", |call| {
        let uuid = uuid::Builder::from_random_bytes(call.context().random()).into_uuid();
        Ok(Value::string(uuid.to_string()).marked(Marks::VOLATILE))
    }),
    Function::new(
        "uuidv5",
        &[string("namespace"), string("name")],
        Of::String,
        "the UUID of a name in a namespace: `dns`, `url`, `oid`, `x500` or a UUID",
        uuidv5,
    ),
];

fn hex(digest: impl AsRef<[u8]>) -> Value {
    Value::string(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn base64(digest: impl AsRef<[u8]>) -> Value {
    Value::string(STANDARD.encode(digest))
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
