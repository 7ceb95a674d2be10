//! Key pairs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::call::{Answer, Call};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{CloudError, KeyPair, KeyType, generate, parse_public_key, time_text};

fn key_pair(pair: &KeyPair) -> Fields {
    let fields = Fields::new()
        .text("keyPairId", &pair.id)
        .text("keyName", &pair.name)
        .text("keyFingerprint", &pair.fingerprint);
    tag_set(fields, &pair.tags)
}

pub(super) fn create_key_pair(call: &Call<'_>) -> Answer {
    let name = call.params.required("KeyName")?;
    let tags = call.params.tag_specifications()?;
    let key_type = match call.params.text("KeyType").unwrap_or("rsa") {
        "rsa" => KeyType::Rsa,
        "ed25519" => KeyType::Ed25519,
        other => return Err(CloudError::invalid_value("KeyType", other)),
    };
    match call.params.text("KeyFormat").unwrap_or("pem") {
        "pem" => {}
        "ppk" => {
            return Err(CloudError::new(
                "UnsupportedOperation",
                "The sandbox gives keys in the pem format only.",
            ));
        }
        other => return Err(CloudError::invalid_value("KeyFormat", other)),
    }
    let made = generate(key_type)?;
    let pair = call.request(|session| session.add_key_pair(name, &made.public, &tags))?;
    Ok(key_pair(&pair).text("keyMaterial", made.private.as_str()))
}

pub(super) fn import_key_pair(call: &Call<'_>) -> Answer {
    let name = call.params.required("KeyName")?;
    let tags = call.params.tag_specifications()?;
    let material = STANDARD
        .decode(call.params.required("PublicKeyMaterial")?.trim())
        .map_err(|_| CloudError::invalid("Invalid BASE64 encoding of PublicKeyMaterial"))?;
    let public = parse_public_key(&material)?;
    let pair = call.request(|session| session.add_key_pair(name, &public, &tags))?;
    Ok(key_pair(&pair))
}

pub(super) fn describe_key_pairs(call: &Call<'_>) -> Answer {
    let names = call.params.texts("KeyName")?;
    let ids = call.params.texts("KeyPairId")?;
    let filters = call.params.filters()?;
    let with_key = call.params.is_set("IncludePublicKey")?;
    let found = call.request(|session| session.describe_key_pairs(&names, &ids, &filters))?;
    let pairs = found.iter().map(|pair| {
        key_pair(pair)
            .text("keyType", pair.key_type)
            .text("createTime", time_text(pair.created))
            .maybe("publicKey", with_key.then_some(&pair.public_key))
    });
    Ok(Fields::new().list("keySet", pairs))
}

pub(super) fn delete_key_pair(call: &Call<'_>) -> Answer {
    let (name, id) = (call.params.text("KeyName"), call.params.text("KeyPairId"));
    if name.is_none() && id.is_none() {
        return Err(CloudError::missing("KeyName"));
    }
    let deleted = call.request(|session| Ok(session.delete_key_pair(name, id)))?;
    Ok(Fields::new().text("return", true).maybe("keyPairId", deleted))
}
