//! Session Manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::request::{Request, invalid, time};
use crate::sandbox::cloud::{ACCOUNT, CloudError};
use crate::sandbox::endpoint::sessions::{Session, StartSession};

pub(super) fn start_session(request: &Request<'_>) -> Result<Value, CloudError> {
    let target = request.required("Target")?.to_owned();
    if target.len() > 400 {
        return Err(invalid("target", "Member must have length less than or equal to 400"));
    }
    let reason = request.body.get("Reason").and_then(Value::as_str);
    if reason.is_some_and(|reason| reason.is_empty() || reason.chars().count() > 256) {
        return Err(invalid("reason", "Member must have length between 1 and 256"));
    }
    let mut parameters = BTreeMap::new();
    let given = request.body.get("Parameters").and_then(Value::as_object);
    for (name, values) in given.into_iter().flatten() {
        let texts = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        parameters.insert(name.clone(), texts.map(str::to_owned).collect());
    }
    let session = request.sessions.start(
        request.cloud,
        request.region,
        StartSession {
            target,
            document: request.text("DocumentName").unwrap_or_default().to_owned(),
            parameters,
            reason: reason.unwrap_or_default().to_owned(),
        },
    )?;
    Ok(answer(request, &session))
}

/// A fresh token for a session; empty when it has ended.
fn answer(request: &Request<'_>, session: &Session) -> Value {
    json!({
        "SessionId": session.id,
        "TokenValue": session.renew(),
        "StreamUrl": session.url(request.authority),
    })
}

pub(super) fn resume_session(request: &Request<'_>) -> Result<Value, CloudError> {
    let id = request.required("SessionId")?;
    let session = request.sessions.get(id).filter(|session| session.region == request.region);
    let session = session.ok_or_else(|| {
        CloudError::new("DoesNotExistException", format!("Session {id} does not exist."))
    })?;
    if request.empty_token {
        return Ok(json!({ "SessionId": session.id, "TokenValue": "", "StreamUrl": "" }));
    }
    Ok(answer(request, &session))
}

pub(super) fn terminate_session(request: &Request<'_>) -> Result<Value, CloudError> {
    let id = request.required("SessionId")?;
    request.sessions.terminate(id);
    Ok(json!({ "SessionId": id }))
}

pub(super) fn describe_sessions(request: &Request<'_>) -> Result<Value, CloudError> {
    let active = match request.required("State")? {
        "Active" => true,
        "History" => false,
        _ => {
            let rule = "Member must satisfy enum value set: [Active, History]";
            return Err(invalid("state", rule));
        }
    };
    let filters = request.filters("Filters", "key", "value");
    let mut found = request.sessions.list(request.region);
    found.retain(|session| session.ended().is_none() == active);
    for (key, values) in &filters {
        let value = |session: &Session| match key.as_str() {
            "Target" => Ok(session.request.target.clone()),
            "SessionId" => Ok(session.id.clone()),
            "Owner" => Ok(owner()),
            _ => Err(CloudError::new(
                "InvalidFilterKey",
                format!("The sandbox does not know the filter {key}."),
            )),
        };
        let mut kept = Vec::new();
        for session in found {
            if values.contains(&value(&session)?) {
                kept.push(session);
            }
        }
        found = kept;
    }
    let page = request.page(1, 200)?;
    let found = page.cut(found, |session| session.id.clone())?;
    let sessions = found.items.iter().map(|session| {
        let ended = session.ended();
        json!({
            "SessionId": session.id,
            "Target": session.request.target,
            "Status": if ended.is_some() { "Terminated" } else { "Connected" },
            "StartDate": time(session.started),
            "EndDate": ended.map(time),
            "DocumentName": session.request.document,
            "Owner": owner(),
            "Reason": session.request.reason,
        })
    });
    let mut answer = json!({ "Sessions": sessions.collect::<Vec<_>>() });
    if let Some(token) = found.next_token {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}

fn owner() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/sandbox")
}
