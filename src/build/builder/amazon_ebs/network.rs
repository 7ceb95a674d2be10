//! Which VPC, subnet and security groups.

use rand::seq::IndexedRandom as _;

use super::settings::{AmazonEbs, NetworkSettings, SecuritySettings};
use crate::aws::{AwsError, Client, Filter, Subnet, Vpc};
use crate::build::BuildError;

/// Where the instance goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    pub(super) vpc_id: Option<String>,
    pub(super) subnet_id: Option<String>,
    /// Existing groups; none when a temporary one is to be made.
    pub(super) group_ids: Vec<String>,
}

/// Finds VPC, subnet and groups.
pub(super) async fn resolve(client: &Client, build: &AmazonEbs) -> Result<Network, BuildError> {
    let settings = &build.network;
    let vpc = find_vpc(client, settings).await?;
    let subnet = find_subnet(client, build, vpc.as_ref()).await?;
    let vpc_id = subnet.as_ref().map(|one| one.vpc_id.clone()).or_else(|| vpc.map(|one| one.id));
    let group_ids = find_groups(client, &build.security, vpc_id.as_deref()).await?;
    if settings.subnet_id.is_none() && subnet.is_none() && vpc_id.is_none() {
        check_default_vpc(client).await?;
    }
    Ok(Network { vpc_id, subnet_id: subnet.map(|one| one.id), group_ids })
}

async fn find_vpc(client: &Client, settings: &NetworkSettings) -> Result<Option<Vpc>, BuildError> {
    if let Some(id) = &settings.vpc_id {
        // A subnet says its VPC itself.
        if settings.subnet_id.is_some() {
            return Ok(Some(Vpc { id: id.clone(), is_default: false }));
        }
        let found = client.describe_vpcs(std::slice::from_ref(id), &[]).await?;
        return Ok(found.into_iter().next());
    }
    if settings.vpc_filter.is_empty() {
        return Ok(None);
    }
    let mut by = settings.vpc_filter.clone();
    by.push(Filter::new("state", "available"));
    let found = client.describe_vpcs(&[], &by).await?;
    let ids: Vec<_> = found.iter().map(|vpc| vpc.id.as_str()).collect();
    match found.as_slice() {
        [one] => Ok(Some(one.clone())),
        [] => Err(BuildError::option("vpc_filter", "no VPC matches `vpc_filter`")),
        _ => Err(BuildError::option(
            "vpc_filter",
            format!("{} VPCs match `vpc_filter`: {}", found.len(), ids.join(", ")),
        )
        .hint("narrow the filter to one")),
    }
}

async fn find_subnet(
    client: &Client,
    build: &AmazonEbs,
    vpc: Option<&Vpc>,
) -> Result<Option<Subnet>, BuildError> {
    let settings = &build.network;
    if let Some(id) = &settings.subnet_id {
        let found = client.describe_subnets(std::slice::from_ref(id), &[]).await?;
        let subnet = found.into_iter().next();
        if let (Some(subnet), Some(vpc)) = (&subnet, vpc)
            && subnet.vpc_id != vpc.id
        {
            return Err(BuildError::option(
                "subnet_id",
                format!("subnet {id} is in {}, not in {}", subnet.vpc_id, vpc.id),
            ));
        }
        return Ok(subnet);
    }
    let zone = build.instance.placement.availability_zone.as_deref();
    let conditions = |vpc: Option<&str>| {
        let mut by = settings.subnet_filter.clone();
        by.push(Filter::new("state", "available"));
        by.extend(vpc.map(|id| Filter::new("vpc-id", id)));
        by.extend(zone.map(|zone| Filter::new("availability-zone", zone)));
        by
    };
    if !settings.subnet_filter.is_empty() {
        let found =
            client.describe_subnets(&[], &conditions(vpc.map(|one| one.id.as_str()))).await?;
        return choose(found, settings).map(Some);
    }
    // A wish about the public address is made of the network interface, which needs a subnet; so
    // does a VPC that is not the default one, which Packer refuses.
    let inferred = match vpc {
        Some(vpc) => Some(vpc.id.clone()),
        None if settings.public_address.is_some() => {
            let found = client.describe_vpcs(&[], &[Filter::new("is-default", "true")]).await?;
            Some(found.into_iter().next().ok_or_else(no_default_vpc)?.id)
        }
        None => None,
    };
    let Some(vpc_id) = inferred else { return Ok(None) };
    let found = client.describe_subnets(&[], &conditions(Some(&vpc_id))).await?;
    match most_free(found) {
        Some(subnet) => Ok(Some(subnet)),
        None => Err(BuildError::option("vpc_id", format!("{vpc_id} has no subnet to launch in"))
            .hint("set `subnet_id` or `subnet_filter`")),
    }
}

fn choose(found: Vec<Subnet>, settings: &NetworkSettings) -> Result<Subnet, BuildError> {
    if found.is_empty() {
        return Err(BuildError::option("subnet_filter", "no subnet matches `subnet_filter`"));
    }
    let ids: Vec<_> = found.iter().map(|subnet| subnet.id.clone()).collect();
    let chosen = if settings.subnet_most_free {
        most_free(found)
    } else if settings.subnet_random {
        found.choose(&mut rand::rng()).cloned()
    } else {
        let mut found = found.into_iter();
        found.next().filter(|_| found.next().is_none())
    };
    chosen.ok_or_else(|| {
        BuildError::option(
            "subnet_filter",
            format!("{} subnets match `subnet_filter`: {}", ids.len(), ids.join(", ")),
        )
        .hint("`most_free = true` or `random = true` takes one of them")
    })
}

fn most_free(found: Vec<Subnet>) -> Option<Subnet> {
    found.into_iter().max_by(|a, b| (a.free_addresses, &b.id).cmp(&(b.free_addresses, &a.id)))
}

async fn find_groups(
    client: &Client,
    settings: &SecuritySettings,
    vpc: Option<&str>,
) -> Result<Vec<String>, BuildError> {
    if settings.group_filter.is_empty() {
        return Ok(settings.group_ids.clone());
    }
    let mut by = settings.group_filter.clone();
    by.extend(vpc.map(|id| Filter::new("vpc-id", id)));
    let found = client.describe_security_groups(&[], &by).await?;
    if found.is_empty() {
        // Packer launches with the default group then, which lets nobody in.
        return Err(BuildError::option(
            "security_group_filter",
            "no security group matches `security_group_filter`",
        ));
    }
    Ok(found.into_iter().map(|group| group.id).collect())
}

/// Says early what RunInstances would say after key and group were made. Whoever may not ask is
/// not stopped.
async fn check_default_vpc(client: &Client) -> Result<(), BuildError> {
    let denied = |error: &AwsError| error.is_code(&["UnauthorizedOperation"]);
    match client.describe_vpcs(&[], &[Filter::new("is-default", "true")]).await {
        Ok(found) if found.is_empty() => Err(no_default_vpc()),
        Ok(_) => Ok(()),
        Err(error) if denied(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn no_default_vpc() -> BuildError {
    BuildError::option("subnet_id", "the account has no default VPC in this region")
        .hint("set `subnet_id`, `subnet_filter` or `vpc_id`")
}
