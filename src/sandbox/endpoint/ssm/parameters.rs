//! Public parameters: those that name images.

use serde_json::{Value, json};

use super::request::Request;
use crate::sandbox::cloud::{Cloud, CloudError};

pub(super) fn get_parameter(request: &Request<'_>) -> Result<Value, CloudError> {
    let name = request.text("Name").unwrap_or_default();
    let found = parameter(request.cloud, request.region, name)?;
    let found = found.ok_or_else(|| CloudError::new("ParameterNotFound", ""))?;
    Ok(json!({ "Parameter": found }))
}

pub(super) fn get_parameters(request: &Request<'_>) -> Result<Value, CloudError> {
    let names = request.texts("Names");
    if names.is_empty() || names.len() > 10 {
        return Err(CloudError::new(
            "ValidationException",
            "1 validation error detected: 'names' must have length between 1 and 10",
        ));
    }
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        match parameter(request.cloud, request.region, &name)? {
            Some(parameter) => found.push(parameter),
            None => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
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
