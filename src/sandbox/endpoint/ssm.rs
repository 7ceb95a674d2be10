//! Systems Manager's JSON protocol: the public parameters that name images.

use serde_json::{Value, json};

use crate::sandbox::cloud::{Cloud, CloudError};

/// Answers an action of `X-Amz-Target: AmazonSSM.…`.
pub(super) fn act(
    cloud: &Cloud,
    region: &str,
    action: &str,
    body: &[u8],
) -> Result<Value, CloudError> {
    let request: Value = serde_json::from_slice(body).map_err(|error| {
        CloudError::new("SerializationException", format!("the body is not JSON: {error}"))
    })?;
    match action {
        "GetParameter" => {
            let name = request.get("Name").and_then(Value::as_str).unwrap_or_default();
            let found = parameter(cloud, region, name)?;
            let found = found.ok_or_else(|| CloudError::new("ParameterNotFound", ""))?;
            Ok(json!({ "Parameter": found }))
        }
        "GetParameters" => {
            let names = request.get("Names").and_then(Value::as_array);
            let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
            if names.is_empty() || names.len() > 10 {
                return Err(CloudError::new(
                    "ValidationException",
                    "1 validation error detected: 'names' must have length between 1 and 10",
                ));
            }
            let (mut found, mut invalid) = (Vec::new(), Vec::new());
            for name in names {
                match parameter(cloud, region, name)? {
                    Some(parameter) => found.push(parameter),
                    None => invalid.push(name),
                }
            }
            Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
        }
        _ => Err(CloudError::new(
            "UnknownOperationException",
            format!("The sandbox does not know the action {action}."),
        )),
    }
}

fn parameter(cloud: &Cloud, region: &str, name: &str) -> Result<Option<Value>, CloudError> {
    // A full ARN names the same parameter.
    let plain = name.split_once(":parameter/").map(|(_, rest)| format!("/{rest}"));
    let plain = plain.as_deref().unwrap_or(name);
    let image = cloud.request(region, false, |session| session.public_parameter(plain))?;
    Ok(image.map(|image| {
        json!({
            "Name": name,
            "Type": "String",
            "Value": image.id,
            "Version": 1,
            "LastModifiedDate": image.created.as_second(),
            "ARN": format!("arn:aws:ssm:{region}::parameter{plain}"),
            "DataType": "aws:ec2:image",
        })
    }))
}
