//! Which instances Systems Manager can reach.

use serde_json::{Value, json};

use super::request::{Request, invalid, time};
use crate::sandbox::cloud::{AGENT_VERSION, AgentInformation, CloudError};

pub(super) fn describe_instance_information(request: &Request<'_>) -> Result<Value, CloudError> {
    let mut filters = request.filters("Filters", "Key", "Values");
    filters.extend(request.filters("InstanceInformationFilterList", "key", "valueSet"));
    for (key, values) in &filters {
        let known = ["InstanceIds", "PingStatus", "PlatformTypes", "AgentVersion", "ResourceType"];
        if !known.contains(&key.as_str()) {
            return Err(CloudError::new(
                "InvalidInstanceInformationFilterValue",
                format!("The sandbox does not know the filter {key}."),
            ));
        }
        if values.is_empty() {
            return Err(CloudError::new("InvalidFilterKey", format!("{key} has no values")));
        }
    }
    let matches = |agent: &AgentInformation| {
        filters.iter().all(|(key, values)| {
            let value = match key.as_str() {
                "InstanceIds" => agent.instance_id.as_str(),
                "PingStatus" => ping(agent),
                "PlatformTypes" => "Linux",
                "AgentVersion" => AGENT_VERSION,
                _ => "EC2Instance",
            };
            values.iter().any(|wanted| wanted == value)
        })
    };
    let page = request.page(5, 50)?;
    let found = request.cloud.agents(request.region)?;
    let found = found.into_iter().filter(|agent| matches(agent)).collect();
    let found = page.cut(found, |agent: &AgentInformation| agent.instance_id.clone())?;
    let list: Vec<Value> = found.items.iter().map(information).collect();
    let mut answer = json!({ "InstanceInformationList": list });
    if let Some(token) = found.next_token {
        answer["NextToken"] = token.into();
    }
    Ok(answer)
}

fn ping(agent: &AgentInformation) -> &'static str {
    if agent.online { "Online" } else { "ConnectionLost" }
}

fn information(agent: &AgentInformation) -> Value {
    let ip = agent.ip.map(|ip| ip.to_string());
    json!({
        "InstanceId": agent.instance_id,
        "PingStatus": ping(agent),
        "LastPingDateTime": time(agent.last_ping),
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": true,
        "PlatformType": "Linux",
        "PlatformName": agent.platform,
        "PlatformVersion": agent.platform_version,
        "ResourceType": "EC2Instance",
        "IPAddress": ip,
        "ComputerName": agent.instance_id,
        "SourceId": agent.instance_id,
        "SourceType": "AWS::EC2::Instance",
    })
}

pub(super) fn get_connection_status(request: &Request<'_>) -> Result<Value, CloudError> {
    let target = request.required("Target")?;
    if target.len() > 400 {
        return Err(invalid("target", "Member must have length less than or equal to 400"));
    }
    let connected = request.cloud.is_agent_connected(request.region, target);
    let status = if connected { "connected" } else { "notconnected" };
    Ok(json!({ "Target": target, "Status": status }))
}
