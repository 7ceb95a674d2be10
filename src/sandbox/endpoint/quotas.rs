//! Service Quotas' JSON protocol: the vCPUs that may run at a time.

use serde_json::{Value, json};

use crate::aws::VcpuQuota;
use crate::sandbox::cloud::{ACCOUNT, CloudError, VCPU_LIMIT};

/// What `X-Amz-Target` begins with.
pub(super) const PREFIX: &str = "ServiceQuotasV20190624.";
/// The only action.
pub(super) const ACTION: &str = "GetServiceQuota";

/// Answers an action.
pub(super) fn act(region: &str, action: &str, body: &[u8]) -> Result<Value, CloudError> {
    if action != ACTION {
        let message = format!("The sandbox does not know the action {action}.");
        return Err(CloudError::new("UnknownOperationException", message));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        CloudError::new("SerializationException", format!("the body is not JSON: {error}"))
    })?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let quota = VcpuQuota::with_code(text("QuotaCode")).filter(|_| text("ServiceCode") == "ec2");
    let Some(quota) = quota else {
        let message = "The request failed because the specified resource does not exist.";
        return Err(CloudError::new("NoSuchResourceException", message));
    };
    Ok(json!({
        "Quota": {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": format!("arn:aws:servicequotas:{region}:{ACCOUNT}:ec2/{}", quota.code),
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": VCPU_LIMIT,
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
        }
    }))
}
