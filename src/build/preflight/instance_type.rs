//! Whether an instance type is offered.

use crate::aws::Client;
use crate::build::BuildError;

/// Refuses an instance type that is not offered.
///
/// # Errors
/// When it is not.
pub(in crate::build) async fn check_instance_type(
    client: &Client,
    instance_type: &str,
    zone: Option<&str>,
) -> Result<(), BuildError> {
    match client.offers(instance_type, zone).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let place = zone.unwrap_or(client.region());
            let text = format!("`{instance_type}` is not offered in {place}");
            Err(BuildError::option("instance_type", text)
                .hint("is it spelled right? `aws ec2 describe-instance-type-offerings` lists all"))
        }
        Err(error) => {
            tracing::debug!(%error, "instance types are not looked up");
            Ok(())
        }
    }
}
