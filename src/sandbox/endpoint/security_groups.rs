//! Security groups.

use super::call::{Answer, Call};
use super::query::Params;
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{
    ACCOUNT, CloudError, DescribeSecurityGroups, GroupName, Peer, Ports, Rule, RuleRequest,
    SecurityGroup,
};

/// More rules than a request may have.
const MAX_RULES: usize = 1000;

fn ports(fields: Fields, ports: &Ports) -> Fields {
    let fields = fields.text("ipProtocol", &ports.protocol);
    if ports.protocol == "-1" {
        return fields;
    }
    fields.text("fromPort", ports.from).text("toPort", ports.to)
}

/// Rules as EC2's older form has them: those with the same ports together.
fn permissions(group: &SecurityGroup, egress: bool) -> Vec<Fields> {
    let rules: Vec<&Rule> = group.rules.iter().filter(|rule| rule.egress == egress).collect();
    let mut seen: Vec<&Ports> = Vec::new();
    for rule in &rules {
        if !seen.contains(&&rule.ports) {
            seen.push(&rule.ports);
        }
    }
    let permission = |of: &&Ports| {
        let same = || rules.iter().filter(|rule| rule.ports == **of);
        let range = |rule: &&&Rule, name: &'static str, text: &str| {
            Fields::new().text(name, text).maybe("description", rule.description.as_ref())
        };
        let v4 = same().filter_map(|rule| match &rule.peer {
            Peer::Ipv4(cidr) => Some(range(&rule, "cidrIp", cidr)),
            _ => None,
        });
        let v6 = same().filter_map(|rule| match &rule.peer {
            Peer::Ipv6(cidr) => Some(range(&rule, "cidrIpv6", cidr)),
            _ => None,
        });
        let lists = same().filter_map(|rule| match &rule.peer {
            Peer::PrefixList(id) => Some(range(&rule, "prefixListId", id)),
            _ => None,
        });
        let groups = same().filter_map(|rule| match &rule.peer {
            Peer::Group(id) => Some(range(&rule, "groupId", id).text("userId", ACCOUNT)),
            _ => None,
        });
        ports(Fields::new(), of)
            .list("groups", groups)
            .list("ipRanges", v4)
            .list("ipv6Ranges", v6)
            .list("prefixListIds", lists)
    };
    seen.iter().map(permission).collect()
}

fn group_arn(region: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{ACCOUNT}:security-group/{id}")
}

fn rule(rule: &Rule) -> Fields {
    let fields = Fields::new()
        .text("securityGroupRuleId", &rule.id)
        .text("groupId", &rule.group_id)
        .text("groupOwnerId", ACCOUNT)
        .text("isEgress", rule.egress);
    let fields = fields
        .text("ipProtocol", &rule.ports.protocol)
        .text("fromPort", rule.ports.from)
        .text("toPort", rule.ports.to);
    let fields = match &rule.peer {
        Peer::Ipv4(cidr) => fields.text("cidrIpv4", cidr),
        Peer::Ipv6(cidr) => fields.text("cidrIpv6", cidr),
        Peer::PrefixList(id) => fields.text("prefixListId", id),
        Peer::Group(id) => fields.group(
            "referencedGroupInfo",
            Fields::new().text("groupId", id).text("userId", ACCOUNT),
        ),
    };
    tag_set(fields.maybe("description", rule.description.as_ref()), &rule.tags)
}

fn group_name(params: &Params) -> GroupName {
    GroupName { id: params.owned("GroupId"), name: params.owned("GroupName") }
}

/// `IpPermissions.n`, or one rule in the oldest form.
fn rules(params: &Params) -> Result<Vec<RuleRequest>, CloudError> {
    let mut rules = Vec::new();
    for permission in params.list("IpPermissions")? {
        let mut add = |peer: Peer, of: &Params| -> Result<(), CloudError> {
            rules.push(RuleRequest {
                protocol: permission.required("IpProtocol")?.to_owned(),
                from: permission.number("FromPort")?,
                to: permission.number("ToPort")?,
                peer,
                description: of.owned("Description"),
            });
            Ok(())
        };
        for range in permission.list("IpRanges")? {
            add(Peer::Ipv4(range.required("CidrIp")?.to_owned()), range)?;
        }
        for range in permission.list("Ipv6Ranges")? {
            add(Peer::Ipv6(range.required("CidrIpv6")?.to_owned()), range)?;
        }
        for list in permission.list("PrefixListIds")? {
            add(Peer::PrefixList(list.required("PrefixListId")?.to_owned()), list)?;
        }
        for group in permission.list("Groups")? {
            let name = group.text("GroupId").or(group.text("GroupName"));
            let name = name.ok_or_else(|| CloudError::missing("GroupId"))?;
            add(Peer::Group(name.to_owned()), group)?;
        }
        if rules.len() > MAX_RULES {
            return Err(CloudError::new(
                "RulesPerSecurityGroupLimitExceeded",
                format!("At most {MAX_RULES} rules can be given at a time"),
            ));
        }
    }
    if let Some(protocol) = params.text("IpProtocol") {
        let peer = match (params.text("CidrIp"), params.text("SourceSecurityGroupName")) {
            (Some(cidr), _) => Peer::Ipv4(cidr.to_owned()),
            (None, Some(group)) => Peer::Group(group.to_owned()),
            (None, None) => return Err(CloudError::missing("CidrIp")),
        };
        rules.push(RuleRequest {
            protocol: protocol.to_owned(),
            from: params.number("FromPort")?,
            to: params.number("ToPort")?,
            peer,
            description: None,
        });
    }
    Ok(rules)
}

pub(super) fn create_security_group(call: &Call<'_>) -> Answer {
    let name = call.params.required("GroupName")?;
    let description = call.params.required("GroupDescription")?;
    let vpc_id = call.params.text("VpcId");
    let tags = call.params.tag_specifications()?;
    let group =
        call.request(|session| session.create_security_group(name, description, vpc_id, &tags))?;
    let fields = Fields::new()
        .text("return", true)
        .text("groupId", &group.id)
        .text("securityGroupArn", group_arn(call.region, &group.id));
    Ok(tag_set(fields, &group.tags))
}

fn authorize(call: &Call<'_>, egress: bool) -> Answer {
    let (group, rules) = (group_name(call.params), rules(call.params)?);
    let tags = call.params.tag_specifications()?;
    let added = call.request(|session| session.authorize(&group, egress, &rules, &tags))?;
    Ok(Fields::new().text("return", true).list("securityGroupRuleSet", added.iter().map(rule)))
}

fn revoke(call: &Call<'_>, egress: bool) -> Answer {
    let (group, rules) = (group_name(call.params), rules(call.params)?);
    let ids = call.params.texts("SecurityGroupRuleId")?;
    let gone = call.request(|session| session.revoke(&group, egress, &rules, &ids))?;
    let gone = gone.iter().map(rule);
    Ok(Fields::new().text("return", true).list("revokedSecurityGroupRuleSet", gone))
}

pub(super) fn authorize_ingress(call: &Call<'_>) -> Answer {
    authorize(call, false)
}

pub(super) fn authorize_egress(call: &Call<'_>) -> Answer {
    authorize(call, true)
}

pub(super) fn revoke_ingress(call: &Call<'_>) -> Answer {
    revoke(call, false)
}

pub(super) fn revoke_egress(call: &Call<'_>) -> Answer {
    revoke(call, true)
}

pub(super) fn describe_security_groups(call: &Call<'_>) -> Answer {
    let request = DescribeSecurityGroups {
        ids: call.params.texts("GroupId")?,
        names: call.params.texts("GroupName")?,
        filters: call.params.filters()?,
        page: call.params.page()?,
    };
    let found = call.request(|session| session.describe_security_groups(&request))?;
    let groups = found.items.iter().map(|group| {
        let fields = Fields::new()
            .text("ownerId", ACCOUNT)
            .text("groupId", &group.id)
            .text("securityGroupArn", group_arn(call.region, &group.id))
            .text("groupName", &group.name)
            .text("groupDescription", &group.description)
            .text("vpcId", &group.vpc_id)
            .list("ipPermissions", permissions(group, false))
            .list("ipPermissionsEgress", permissions(group, true));
        tag_set(fields, &group.tags)
    });
    Ok(Fields::new().list("securityGroupInfo", groups).maybe("nextToken", found.next_token))
}

pub(super) fn describe_security_group_rules(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("SecurityGroupRuleId")?;
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found = call.request(|session| session.describe_rules(&ids, &filters, &page))?;
    let rules = found.items.iter().map(rule);
    Ok(Fields::new().list("securityGroupRuleSet", rules).maybe("nextToken", found.next_token))
}

pub(super) fn delete_security_group(call: &Call<'_>) -> Answer {
    let group = group_name(call.params);
    let id = call.request(|session| session.delete_security_group(&group))?;
    Ok(Fields::new().text("return", true).text("groupId", id))
}
