//! STS: who am I, and be somebody else.

use jiff::{SignedDuration, Timestamp};

use super::call::{Answer, Call};
use super::xml::Fields;
use crate::sandbox::cloud::{ACCOUNT, CloudError, time_text};

pub(super) fn get_caller_identity(call: &Call<'_>) -> Answer {
    // A key that AssumeRole gave names its session; any other is the account's own user.
    let (arn, id) = match call.access_key.strip_prefix("ASIA") {
        Some(_) => (
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/sandbox/sandbox"),
            "AROASANDBOX:sandbox".to_owned(),
        ),
        None => (format!("arn:aws:iam::{ACCOUNT}:user/sandbox"), "AIDASANDBOX".to_owned()),
    };
    Ok(Fields::new().text("Arn", arn).text("UserId", id).text("Account", ACCOUNT))
}

pub(super) fn assume_role(call: &Call<'_>) -> Answer {
    let arn = call.params.required("RoleArn")?;
    let session = call.params.required("RoleSessionName")?;
    let invalid = |message: String| CloudError::new("ValidationError", message);
    // arn:aws:iam::ACCOUNT:role/PATH/NAME
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let (["arn", partition, "iam", "", account, role], true) =
        (parts.as_slice(), arn.len() <= 2048)
    else {
        return Err(invalid(format!("{arn} is invalid")));
    };
    let role = role.strip_prefix("role/").and_then(|path| path.rsplit('/').next());
    let role = role.ok_or_else(|| invalid(format!("{arn} is invalid")))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        return Err(invalid(format!("Value '{session}' at 'roleSessionName' is invalid")));
    }
    let seconds = call.params.number("DurationSeconds")?.unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(invalid(format!("Value '{seconds}' at 'durationSeconds' is invalid")));
    }
    let expires = Timestamp::now() + SignedDuration::from_secs(seconds);
    let key = format!("ASIA{}", super::signature::body_of(call.access_key));
    let secret = format!("sandbox{:032x}", rand::random::<u128>());
    let token = format!("sandbox{:032x}", rand::random::<u128>());
    let credentials = Fields::new()
        .text("AccessKeyId", key)
        .text("SecretAccessKey", secret)
        .text("SessionToken", token)
        .text("Expiration", time_text(expires));
    let assumed = Fields::new()
        .text("Arn", format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}"))
        .text("AssumedRoleId", format!("AROASANDBOX:{session}"));
    Ok(Fields::new().group("Credentials", credentials).group("AssumedRoleUser", assumed))
}
