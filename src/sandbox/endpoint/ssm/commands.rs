//! Run Command.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::{Request, invalid, time};
use crate::sandbox::cloud::{
    CloudError, Command, CommandStatus, Filter, Invocation, Page, SHELL_PLUGIN, SendCommand,
};

pub(super) fn send_command(request: &Request<'_>) -> Result<Value, CloudError> {
    let mut parameters = BTreeMap::new();
    for (name, values) in
        request.body.get("Parameters").and_then(Value::as_object).into_iter().flatten()
    {
        let texts = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        parameters.insert(name.clone(), texts.map(str::to_owned).collect::<Vec<String>>());
    }
    let command = request.cloud.send_command(
        request.region,
        SendCommand {
            document: request.required("DocumentName")?.to_owned(),
            instance_ids: targets(request)?,
            parameters,
            delivery_seconds: request.body.get("TimeoutSeconds").and_then(Value::as_i64),
            comment: request.text("Comment").unwrap_or_default().to_owned(),
        },
    )?;
    Ok(json!({ "Command": description(&command) }))
}

/// The instances, by id or by tag.
fn targets(request: &Request<'_>) -> Result<Vec<String>, CloudError> {
    let mut ids = request.texts("InstanceIds");
    for (key, values) in request.filters("Targets", "Key", "Values") {
        if key.eq_ignore_ascii_case("InstanceIds") {
            ids.extend(values);
        } else if key.starts_with("tag:") || key == "tag-key" {
            let filter = Filter { name: key, values };
            let found = request.cloud.request(request.region, false, |session| {
                session.describe_instances(&[], std::slice::from_ref(&filter), &Page::default())
            })?;
            ids.extend(found.items.into_iter().map(|instance| instance.id));
        } else {
            return Err(CloudError::new(
                "InvalidTarget",
                format!("The sandbox does not know the target key {key}."),
            ));
        }
    }
    Ok(ids)
}

/// A command as all calls show it.
fn description(command: &Command) -> Value {
    let status = command.status();
    let count = |wanted: fn(&Invocation) -> bool| {
        command.invocations.iter().filter(|invocation| wanted(invocation)).count()
    };
    let bad = |i: &Invocation| matches!(i.status, CommandStatus::Failed | CommandStatus::TimedOut);
    json!({
        "CommandId": command.id,
        "DocumentName": command.request.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.request.comment,
        "ExpiresAfter": time(command.expires),
        "Parameters": command.request.parameters,
        "InstanceIds": command.request.instance_ids,
        "Targets": [],
        "RequestedDateTime": time(command.requested),
        "Status": status.name(),
        "StatusDetails": status.name(),
        "OutputS3Region": "",
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": command.invocations.len(),
        "CompletedCount": count(|i| i.status.is_terminal()),
        "ErrorCount": count(bad),
        "DeliveryTimedOutCount": count(|i| i.details == "Delivery Timed Out"),
        "ServiceRole": "",
        "NotificationConfig": no_notification(),
        "CloudWatchOutputConfig": no_logs(),
        "TimeoutSeconds": command.request.delivery_seconds.unwrap_or(3600),
    })
}

fn no_notification() -> Value {
    json!({ "NotificationArn": "", "NotificationEvents": [], "NotificationType": "" })
}

fn no_logs() -> Value {
    json!({ "CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false })
}

/// `CommandId`, which has 36 characters.
fn command_id<'a>(request: &'a Request<'_>) -> Result<Option<&'a str>, CloudError> {
    match request.text("CommandId") {
        Some(id) if id.len() != 36 => {
            Err(invalid("commandId", "Member must have length greater than or equal to 36"))
        }
        id => Ok(id),
    }
}

pub(super) fn get_command_invocation(request: &Request<'_>) -> Result<Value, CloudError> {
    let missing = || CloudError::new("InvocationDoesNotExist", "");
    let id = command_id(request)?.ok_or_else(|| invalid("commandId", "Member must not be null"))?;
    let instance_id = request.required("InstanceId")?;
    if request.text("PluginName").is_some_and(|name| name != SHELL_PLUGIN) {
        return Err(CloudError::new("InvalidPluginName", ""));
    }
    let command = request.cloud.command(request.region, id).ok_or_else(missing)?;
    let invocation = command.invocations.iter().find(|i| i.instance_id == instance_id);
    let invocation = invocation.ok_or_else(missing)?;
    let text =
        |time: Option<Timestamp>| time.map(crate::sandbox::cloud::time_text).unwrap_or_default();
    let elapsed = invocation.started.zip(invocation.ended).map(|(started, ended)| {
        let milliseconds = ended.as_millisecond() - started.as_millisecond();
        format!("PT{}.{:03}S", milliseconds / 1000, milliseconds % 1000)
    });
    Ok(json!({
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "Comment": command.request.comment,
        "DocumentName": command.request.document,
        "DocumentVersion": "$DEFAULT",
        "PluginName": SHELL_PLUGIN,
        "ResponseCode": invocation.code,
        "ExecutionStartDateTime": text(invocation.started),
        "ExecutionElapsedTime": elapsed.unwrap_or_default(),
        "ExecutionEndDateTime": text(invocation.ended),
        "Status": invocation.status.name(),
        "StatusDetails": invocation.details,
        "StandardOutputContent": invocation.stdout,
        "StandardOutputUrl": "",
        "StandardErrorContent": invocation.stderr,
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": no_logs(),
    }))
}

/// The commands that a list call asks for.
fn asked(request: &Request<'_>) -> Result<Vec<Command>, CloudError> {
    let mut commands = request.cloud.list_commands(request.region);
    if let Some(id) = command_id(request)? {
        commands.retain(|command| command.id == id);
    }
    if let Some(instance) = request.text("InstanceId") {
        for command in &mut commands {
            command.invocations.retain(|invocation| invocation.instance_id == instance);
        }
        commands.retain(|command| !command.invocations.is_empty());
    }
    Ok(commands)
}

/// Cuts a list that is in its order already.
fn cut(request: &Request<'_>, name: &str, items: Vec<Value>) -> Result<Value, CloudError> {
    let page = request.page(1, 50)?;
    let numbered = items.into_iter().enumerate().collect();
    let found = page.cut(numbered, |(number, _): &(usize, Value)| format!("{number:08}"))?;
    let items: Vec<Value> = found.items.into_iter().map(|(_, item)| item).collect();
    let mut answer = json!({ name: items });
    if let Some(token) = found.next_token {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}

pub(super) fn list_command_invocations(request: &Request<'_>) -> Result<Value, CloudError> {
    let details = request.body.get("Details").and_then(Value::as_bool).unwrap_or(false);
    let mut items = Vec::new();
    for command in asked(request)? {
        for invocation in &command.invocations {
            let plugin = json!({
                "Name": SHELL_PLUGIN,
                "Status": plugin_status(invocation.status),
                "StatusDetails": invocation.details,
                "ResponseCode": invocation.code,
                "ResponseStartDateTime": invocation.started.map(time),
                "ResponseFinishDateTime": invocation.ended.map(time),
                "Output": invocation.combined,
                "StandardOutputUrl": "",
                "StandardErrorUrl": "",
                "OutputS3Region": "",
                "OutputS3BucketName": "",
                "OutputS3KeyPrefix": "",
            });
            items.push(json!({
                "CommandId": command.id,
                "InstanceId": invocation.instance_id,
                "InstanceName": "",
                "Comment": command.request.comment,
                "DocumentName": command.request.document,
                "DocumentVersion": "$DEFAULT",
                "RequestedDateTime": time(command.requested),
                "Status": invocation.status.name(),
                "StatusDetails": invocation.details,
                "StandardOutputUrl": "",
                "StandardErrorUrl": "",
                "CommandPlugins": if details { vec![plugin] } else { Vec::new() },
                "ServiceRole": "",
                "NotificationConfig": no_notification(),
                "CloudWatchOutputConfig": no_logs(),
            }));
        }
    }
    cut(request, "CommandInvocations", items)
}

/// A plugin has fewer states than an invocation.
fn plugin_status(status: CommandStatus) -> &'static str {
    match status {
        CommandStatus::Delayed => "Pending",
        CommandStatus::Cancelling => "InProgress",
        other => other.name(),
    }
}

pub(super) fn list_commands(request: &Request<'_>) -> Result<Value, CloudError> {
    let commands = asked(request)?;
    cut(request, "Commands", commands.iter().map(description).collect())
}

pub(super) fn cancel_command(request: &Request<'_>) -> Result<Value, CloudError> {
    let id = command_id(request)?.ok_or_else(|| invalid("commandId", "Member must not be null"))?;
    request.cloud.cancel_command(request.region, id, &request.texts("InstanceIds"))?;
    Ok(json!({}))
}
