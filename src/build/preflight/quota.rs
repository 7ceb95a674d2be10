//! Whether the quota of vCPUs has room for the instance.

use std::collections::BTreeMap;

use tokio_util::task::AbortOnDropHandle;

use crate::aws::{AwsError, Client, RunningInstance, VcpuQuota};
use crate::build::BuildError;

/// What is to be launched, as far as quotas go.
#[derive(Clone, Copy, Debug)]
pub(in crate::build) struct Launching<'a> {
    /// Such as `t3.micro`.
    pub(in crate::build) instance_type: &'a str,
    /// Whether it goes to a dedicated host or into a capacity reservation of its own, for which
    /// other quotas hold, or none.
    pub(in crate::build) has_room_of_its_own: bool,
}

/// A quota that is being asked for, beside everything else. It takes three calls that only read:
/// the quota, what runs, and how many vCPUs those types have.
pub(in crate::build) struct QuotaCheck(Option<AbortOnDropHandle<Option<Shortfall>>>);

/// Too few vCPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shortfall {
    quota: &'static VcpuQuota,
    value: u64,
    used: u64,
    needed: u64,
}

impl QuotaCheck {
    /// Begins to ask.
    pub(in crate::build) fn start(client: &Client, launching: Launching<'_>) -> Self {
        if launching.has_room_of_its_own {
            return Self(None);
        }
        let Some(quota) = VcpuQuota::of(launching.instance_type) else { return Self(None) };
        let (client, instance_type) = (client.clone(), launching.instance_type.to_owned());
        let asking = tokio::spawn(async move {
            match ask(&client, quota, &instance_type).await {
                Ok(shortfall) => shortfall,
                Err(error) => {
                    tracing::debug!(%error, "the quota of vCPUs is not checked");
                    None
                }
            }
        });
        Self(Some(AbortOnDropHandle::new(asking)))
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// When the launch would exceed the quota.
    pub(in crate::build) async fn finish(
        self,
        region: &str,
        instance_type: &str,
    ) -> Result<(), BuildError> {
        let Some(asking) = self.0 else { return Ok(()) };
        match asking.await {
            Ok(Some(shortfall)) => Err(shortfall.refusal(region, instance_type)),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "the quota of vCPUs is not checked");
                Ok(())
            }
        }
    }
}

async fn ask(
    client: &Client,
    quota: &'static VcpuQuota,
    instance_type: &str,
) -> Result<Option<Shortfall>, AwsError> {
    let (value, running) = tokio::try_join!(client.quota(quota), client.running_instances())?;
    let counted = counted(quota, &running);
    let mut types = vec![instance_type];
    types.extend(counted.keys().copied().filter(|one| *one != instance_type));
    let vcpus = client.vcpus(&types).await?;
    Ok(shortfall(quota, value, &counted, &vcpus, instance_type))
}

/// How many instances of each type count towards a quota.
fn counted<'a>(quota: &VcpuQuota, running: &'a [RunningInstance]) -> BTreeMap<&'a str, u64> {
    let mut counted = BTreeMap::new();
    let is_counted = |one: &&RunningInstance| {
        one.is_on_demand && VcpuQuota::of(&one.instance_type) == Some(quota)
    };
    for one in running.iter().filter(is_counted) {
        *counted.entry(one.instance_type.as_str()).or_default() += 1;
    }
    counted
}

/// What is missing, if anything is. What is not known counts as nothing: a build that might go well
/// is not refused.
fn shortfall(
    quota: &'static VcpuQuota,
    value: f64,
    counted: &BTreeMap<&str, u64>,
    vcpus: &BTreeMap<String, u64>,
    instance_type: &str,
) -> Option<Shortfall> {
    let needed = *vcpus.get(instance_type)?;
    let used = counted
        .iter()
        .map(|(name, count)| vcpus.get(*name).copied().unwrap_or_default().saturating_mul(*count))
        .sum::<u64>();
    if !value.is_finite() || value < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is not negative, and a cast of what is too large saturates"
    )]
    let value = value as u64;
    (used.saturating_add(needed) > value).then_some(Shortfall { quota, value, used, needed })
}

impl Shortfall {
    fn refusal(&self, region: &str, instance_type: &str) -> BuildError {
        let Self { quota, value, used, needed } = self;
        let text = format!(
            "`{instance_type}` needs {needed} vCPUs, but {used} of the {value} that the quota `{}` ({}) allows are in use in {region}",
            quota.name, quota.code
        );
        let wanted = used.saturating_add(*needed);
        BuildError::option("instance_type", text).hint(advice(quota, &wanted.to_string()))
    }
}

/// The error of a launch, with the quota that it exceeded named.
pub(in crate::build) fn beyond_quota(error: BuildError, instance_type: &str) -> BuildError {
    match (error, VcpuQuota::of(instance_type)) {
        (BuildError::Aws(error), Some(quota)) if error.is_code(&["VcpuLimitExceeded"]) => {
            let text = format!("{error}; the quota is `{}` ({})", quota.name, quota.code);
            BuildError::option("instance_type", text).hint(advice(quota, "N"))
        }
        (error, _) => error,
    }
}

fn advice(quota: &VcpuQuota, wanted: &str) -> String {
    format!(
        "choose a smaller `instance_type` or another region, end instances, or ask for more: `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {} --desired-value {wanted}`",
        quota.code
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(types: &[(&str, bool)]) -> Vec<RunningInstance> {
        let one = |(name, is_on_demand): &(&str, bool)| RunningInstance {
            instance_type: (*name).to_owned(),
            is_on_demand: *is_on_demand,
        };
        types.iter().map(one).collect()
    }

    fn missing(value: f64, running: &[RunningInstance], instance_type: &str) -> Option<Shortfall> {
        let quota = VcpuQuota::of(instance_type).expect("is known");
        let known = [("t3.micro", 2), ("m5.24xlarge", 96), ("p5.48xlarge", 192)];
        let vcpus = known.map(|(name, vcpus)| (name.to_owned(), vcpus)).into();
        shortfall(quota, value, &counted(quota, running), &vcpus, instance_type)
    }

    #[test]
    fn only_what_falls_under_the_same_quota_counts() {
        let all = running(&[
            ("m5.24xlarge", true),
            ("m5.24xlarge", false),
            ("p5.48xlarge", true),
            ("t3.micro", true),
            ("t3.micro", true),
        ]);
        assert_eq!(missing(102.0, &all, "t3.micro"), None, "96 + 2 + 2 and 2 more");
        let found = missing(101.9, &all, "t3.micro").expect("one is missing");
        assert_eq!((found.value, found.used, found.needed), (101, 100, 2));
    }

    #[test]
    fn a_quota_of_nothing_is_one() {
        assert!(missing(0.0, &[], "p5.48xlarge").is_some());
    }

    #[test]
    fn what_is_not_known_refuses_nothing() {
        assert_eq!(missing(0.0, &[], "c9.large"), None, "nobody knows its vCPUs");
        assert_eq!(missing(2.0, &running(&[("c9.large", true)]), "t3.micro"), None);
        assert_eq!(missing(f64::NAN, &[], "t3.micro"), None);
    }

    #[test]
    fn a_refusal_names_quota_and_numbers() {
        let all = running(&[("m5.24xlarge", true), ("m5.24xlarge", true)]);
        let error = missing(256.0, &all, "m5.24xlarge").expect("too few");
        let error = error.refusal("eu-west-1", "m5.24xlarge");
        insta::assert_snapshot!(error, @"`m5.24xlarge` needs 96 vCPUs, but 192 of the 256 that the quota `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` (L-1216C47A) allows are in use in eu-west-1");
        insta::assert_snapshot!(error.hints().join("\n"), @"choose a smaller `instance_type` or another region, end instances, or ask for more: `aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A --desired-value 288`");
        assert_eq!(error.option_name(), Some("instance_type"));
    }
}
