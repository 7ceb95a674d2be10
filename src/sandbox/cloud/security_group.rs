//! Security groups. They are records: the sandbox's machines listen on loopback only.

use std::net::IpAddr;

use super::filter::{Field, Filter, Filterable, select};
use super::page::{Page, Paged};
use super::session::Session;
use super::tag::{TagSpecification, tags_for};
use super::{ACCOUNT, CloudError, Tags, id};

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// Unique in the VPC.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its VPC.
    pub vpc_id: String,
    /// What may come in and go out.
    pub rules: Vec<Rule>,
    /// Its tags.
    pub tags: Tags,
}

/// One rule: one port range for one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `sgr-…`
    pub id: String,
    /// Its group.
    pub group_id: String,
    /// Which way.
    pub egress: bool,
    /// What.
    pub ports: Ports,
    /// From or to whom.
    pub peer: Peer,
    /// Free text.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A protocol and its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub protocol: String,
    /// First port, or ICMP type; -1 when the protocol is all.
    pub from: i64,
    /// Last port, or ICMP code.
    pub to: i64,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An IPv4 range.
    Ipv4(String),
    /// An IPv6 range.
    Ipv6(String),
    /// A prefix list.
    PrefixList(String),
    /// Members of a group.
    Group(String),
}

/// A rule in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRequest {
    /// Protocol as written.
    pub protocol: String,
    /// First port.
    pub from: Option<i64>,
    /// Last port.
    pub to: Option<i64>,
    /// At the other end.
    pub peer: Peer,
    /// Free text.
    pub description: Option<String>,
}

impl SecurityGroup {
    /// The group that each VPC has.
    pub(crate) fn default_of(region: &str, vpc_id: &str) -> Self {
        let id = id::derived("sg", &[region, "default"]);
        let rule = |egress, peer| Rule {
            id: id::derived("sgr", &[region, if egress { "egress" } else { "ingress" }]),
            group_id: id.clone(),
            egress,
            ports: Ports { protocol: "-1".to_owned(), from: -1, to: -1 },
            peer,
            description: None,
            tags: Tags::new(),
        };
        let rules = vec![
            rule(false, Peer::Group(id.clone())),
            rule(true, Peer::Ipv4("0.0.0.0/0".to_owned())),
        ];
        Self {
            rules,
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            vpc_id: vpc_id.to_owned(),
            tags: Tags::new(),
            id,
        }
    }
}

fn of_rules(
    group: &SecurityGroup,
    egress: bool,
    value: fn(&Rule) -> Option<String>,
) -> Vec<String> {
    group.rules.iter().filter(|rule| rule.egress == egress).filter_map(value).collect()
}

fn ipv4(rule: &Rule) -> Option<String> {
    if let Peer::Ipv4(cidr) = &rule.peer { Some(cidr.clone()) } else { None }
}

impl Filterable for SecurityGroup {
    const FIELDS: &'static [Field<Self>] = &[
        ("group-id", |g| vec![g.id.clone()]),
        ("group-name", |g| vec![g.name.clone()]),
        ("description", |g| vec![g.description.clone()]),
        ("vpc-id", |g| vec![g.vpc_id.clone()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
        ("ip-permission.cidr", |g| of_rules(g, false, ipv4)),
        ("ip-permission.from-port", |g| of_rules(g, false, |r| Some(r.ports.from.to_string()))),
        ("ip-permission.to-port", |g| of_rules(g, false, |r| Some(r.ports.to.to_string()))),
        ("ip-permission.protocol", |g| of_rules(g, false, |r| Some(r.ports.protocol.clone()))),
        ("egress.ip-permission.cidr", |g| of_rules(g, true, ipv4)),
        ("egress.ip-permission.from-port", |g| {
            of_rules(g, true, |r| Some(r.ports.from.to_string()))
        }),
        ("egress.ip-permission.to-port", |g| of_rules(g, true, |r| Some(r.ports.to.to_string()))),
        ("egress.ip-permission.protocol", |g| {
            of_rules(g, true, |r| Some(r.ports.protocol.clone()))
        }),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

impl Filterable for Rule {
    const FIELDS: &'static [Field<Self>] = &[
        ("security-group-rule-id", |r| vec![r.id.clone()]),
        ("group-id", |r| vec![r.group_id.clone()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

impl RuleRequest {
    fn resolve(&self, session: &Session<'_>) -> Result<(Ports, Peer), CloudError> {
        let protocol = match self.protocol.to_ascii_lowercase().as_str() {
            "6" | "tcp" => "tcp".to_owned(),
            "17" | "udp" => "udp".to_owned(),
            "1" | "icmp" => "icmp".to_owned(),
            "58" | "icmpv6" => "icmpv6".to_owned(),
            "-1" | "all" => "-1".to_owned(),
            other if other.parse::<u8>().is_ok() => other.to_owned(),
            _ => {
                return Err(CloudError::invalid(format!(
                    "Invalid value '{}' for IP protocol. Unknown protocol.",
                    self.protocol
                )));
            }
        };
        let ports = match protocol.as_str() {
            "tcp" | "udp" => {
                let from = self.from.ok_or_else(|| CloudError::missing("FromPort"))?;
                let to = self.to.ok_or_else(|| CloudError::missing("ToPort"))?;
                if !(0..=65_535).contains(&from) || !(0..=65_535).contains(&to) || from > to {
                    return Err(CloudError::invalid(format!(
                        "Invalid TCP/UDP port range ({from}:{to})"
                    )));
                }
                Ports { protocol, from, to }
            }
            "icmp" | "icmpv6" => {
                Ports { protocol, from: self.from.unwrap_or(-1), to: self.to.unwrap_or(-1) }
            }
            _ => Ports { protocol, from: -1, to: -1 },
        };
        let peer = match &self.peer {
            Peer::Ipv4(cidr) if !is_cidr(cidr, false) => return Err(bad_cidr(cidr)),
            Peer::Ipv6(cidr) if !is_cidr(cidr, true) => return Err(bad_cidr(cidr)),
            Peer::Group(group) => Peer::Group(session.group_by_id_or_name(group)?.id.clone()),
            peer => peer.clone(),
        };
        Ok((ports, peer))
    }
}

fn is_cidr(text: &str, v6: bool) -> bool {
    let parts = text.split_once('/').and_then(|(address, bits)| {
        Some((address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?))
    });
    match parts {
        Some((IpAddr::V4(_), bits)) => !v6 && bits <= 32,
        Some((IpAddr::V6(_), bits)) => v6 && bits <= 128,
        None => false,
    }
}

fn bad_cidr(cidr: &str) -> CloudError {
    CloudError::invalid(format!("CIDR block {cidr} is malformed"))
}

/// How a group is named in a request that changes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupName {
    /// `GroupId`
    pub id: Option<String>,
    /// `GroupName`
    pub name: Option<String>,
}

/// What DescribeSecurityGroups asks.
#[derive(Clone, Debug, Default)]
pub struct DescribeSecurityGroups {
    /// All when ids and names are empty.
    pub ids: Vec<String>,
    /// By name.
    pub names: Vec<String>,
    /// Which of them.
    pub filters: Vec<Filter>,
    /// Which part.
    pub page: Page,
}

impl Session<'_> {
    /// The group of this id.
    pub(crate) fn group(&self, id: &str) -> Result<&SecurityGroup, CloudError> {
        if !id.starts_with("sg-") {
            return Err(CloudError::new(
                "InvalidGroupId.Malformed",
                format!("Invalid id: \"{id}\" (expecting \"sg-...\")"),
            ));
        }
        self.region.groups.get(id).ok_or_else(|| group_not_found(id))
    }

    pub(crate) fn group_by_name(&self, name: &str) -> Result<&SecurityGroup, CloudError> {
        let mut groups = self.region.groups.values();
        groups.find(|group| group.name == name).ok_or_else(|| group_not_found(name))
    }

    fn group_by_id_or_name(&self, text: &str) -> Result<&SecurityGroup, CloudError> {
        self.group(text).or_else(|error| self.group_by_name(text).map_err(|_| error))
    }

    fn resolve_group(&self, name: &GroupName) -> Result<String, CloudError> {
        match (&name.id, &name.name) {
            (Some(id), _) => self.group(id).map(|group| group.id.clone()),
            (None, Some(name)) => self.group_by_name(name).map(|group| group.id.clone()),
            (None, None) => Err(CloudError::new(
                "MissingParameter",
                "The request must contain the parameter groupName or groupId",
            )),
        }
    }

    fn group_mut(&mut self, id: &str) -> Result<&mut SecurityGroup, CloudError> {
        self.region.groups.get_mut(id).ok_or_else(|| group_not_found(id))
    }

    /// CreateSecurityGroup, in the default VPC.
    pub fn create_security_group(
        &mut self,
        name: &str,
        description: &str,
        vpc_id: Option<&str>,
        tags: &[TagSpecification],
    ) -> Result<SecurityGroup, CloudError> {
        let plain = |text: &str| text.chars().all(|c| c.is_ascii() && !c.is_ascii_control());
        if name.is_empty() || name.len() > 255 || !plain(name) || name.starts_with("sg-") {
            return Err(CloudError::invalid(format!(
                "Value ({name}) for parameter GroupName is invalid. Group names must not begin with sg- and have at most 255 ASCII characters."
            )));
        }
        if description.is_empty() || description.len() > 255 || !plain(description) {
            return Err(CloudError::invalid_value("GroupDescription", description));
        }
        let vpc_id = match vpc_id {
            Some(id) => self.vpc(id)?.id.clone(),
            None => self.region.vpc.id.clone(),
        };
        if name == "default" || self.region.groups.values().any(|group| group.name == name) {
            return Err(CloudError::new(
                "InvalidGroup.Duplicate",
                format!("The security group '{name}' already exists for VPC '{vpc_id}'"),
            ));
        }
        let id = id::fresh("sg");
        let group = SecurityGroup {
            name: name.to_owned(),
            description: description.to_owned(),
            vpc_id,
            rules: vec![Rule {
                id: id::fresh("sgr"),
                group_id: id.clone(),
                egress: true,
                ports: Ports { protocol: "-1".to_owned(), from: -1, to: -1 },
                peer: Peer::Ipv4("0.0.0.0/0".to_owned()),
                description: None,
                tags: Tags::new(),
            }],
            tags: tags_for(tags, "security-group", &["security-group", "security-group-rule"])?,
            id,
        };
        self.region.groups.insert(group.id.clone(), group.clone());
        Ok(group)
    }

    /// AuthorizeSecurityGroupIngress and -Egress.
    pub fn authorize(
        &mut self,
        group: &GroupName,
        egress: bool,
        requests: &[RuleRequest],
        tags: &[TagSpecification],
    ) -> Result<Vec<Rule>, CloudError> {
        let group_id = self.resolve_group(group)?;
        if requests.is_empty() {
            return Err(CloudError::missing("IpPermissions"));
        }
        let tags = tags_for(tags, "security-group-rule", &["security-group-rule"])?;
        let mut added = Vec::new();
        for request in requests {
            let (ports, peer) = request.resolve(self)?;
            let group = self.group_mut(&group_id)?;
            let same =
                |rule: &Rule| rule.egress == egress && rule.ports == ports && rule.peer == peer;
            if group.rules.iter().any(same) {
                return Err(CloudError::new(
                    "InvalidPermission.Duplicate",
                    format!("the specified rule \"{}\" already exists", rule_text(&ports, &peer)),
                ));
            }
            let rule = Rule {
                id: id::fresh("sgr"),
                group_id: group_id.clone(),
                egress,
                ports,
                peer,
                description: request.description.clone(),
                tags: tags.clone(),
            };
            group.rules.push(rule.clone());
            added.push(rule);
        }
        Ok(added)
    }

    /// RevokeSecurityGroupIngress and -Egress, by rule or by rule id.
    pub fn revoke(
        &mut self,
        group: &GroupName,
        egress: bool,
        requests: &[RuleRequest],
        rule_ids: &[String],
    ) -> Result<Vec<Rule>, CloudError> {
        let group_id = self.resolve_group(group)?;
        if requests.is_empty() && rule_ids.is_empty() {
            return Err(CloudError::missing("IpPermissions"));
        }
        let mut wanted = Vec::new();
        for request in requests {
            wanted.push(request.resolve(self)?);
        }
        let group = self.group_mut(&group_id)?;
        let mut gone = Vec::new();
        for (ports, peer) in wanted {
            let same =
                |rule: &Rule| rule.egress == egress && rule.ports == ports && rule.peer == peer;
            let index = group.rules.iter().position(same).ok_or_else(|| {
                CloudError::new(
                    "InvalidPermission.NotFound",
                    "The specified rule does not exist in this security group.",
                )
            })?;
            gone.push(group.rules.remove(index));
        }
        for id in rule_ids {
            let same = |rule: &Rule| rule.egress == egress && rule.id == *id;
            let index = group.rules.iter().position(same).ok_or_else(|| rule_not_found(id))?;
            gone.push(group.rules.remove(index));
        }
        Ok(gone)
    }

    /// DescribeSecurityGroups.
    pub fn describe_security_groups(
        &self,
        request: &DescribeSecurityGroups,
    ) -> Result<Paged<SecurityGroup>, CloudError> {
        for id in &request.ids {
            self.group(id)?;
        }
        for name in &request.names {
            self.group_by_name(name)?;
        }
        let all = request.ids.is_empty() && request.names.is_empty();
        let groups = self.region.groups.values();
        let chosen = groups
            .filter(|g| all || request.ids.contains(&g.id) || request.names.contains(&g.name));
        request.page.cut(select(chosen.cloned(), &request.filters)?, |group| group.id.clone())
    }

    /// DescribeSecurityGroupRules.
    pub fn describe_rules(
        &self,
        ids: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<Rule>, CloudError> {
        let rules = || self.region.groups.values().flat_map(|group| &group.rules);
        if let Some(id) = ids.iter().find(|id| !rules().any(|rule| rule.id == **id)) {
            return Err(rule_not_found(id));
        }
        let chosen = rules().filter(|rule| ids.is_empty() || ids.contains(&rule.id)).cloned();
        page.cut(select(chosen, filters)?, |rule| rule.id.clone())
    }

    /// DeleteSecurityGroup; refused while an instance or another group's rule names it.
    pub fn delete_security_group(&mut self, group: &GroupName) -> Result<String, CloudError> {
        let id = self.resolve_group(group)?;
        let group = self.group(&id)?;
        if group.name == "default" {
            return Err(CloudError::new(
                "CannotDelete",
                format!(
                    "the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"
                ),
            ));
        }
        let used =
            self.region.instances.values().any(|instance| {
                !instance.state.is_terminated() && instance.group_ids.contains(&id)
            });
        let named = self.region.groups.values().filter(|other| other.id != id).any(|other| {
            other.rules.iter().any(|rule| matches!(&rule.peer, Peer::Group(peer) if *peer == id))
        });
        if used || named {
            return Err(CloudError::new(
                "DependencyViolation",
                format!("resource {id} has a dependent object"),
            ));
        }
        self.region.groups.remove(&id);
        Ok(id)
    }
}

fn group_not_found(id: &str) -> CloudError {
    CloudError::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

fn rule_not_found(id: &str) -> CloudError {
    CloudError::new(
        "InvalidSecurityGroupRuleId.NotFound",
        format!("The security group rule ID '{id}' does not exist"),
    )
}

fn rule_text(ports: &Ports, peer: &Peer) -> String {
    let peer = match peer {
        Peer::Ipv4(text) | Peer::Ipv6(text) | Peer::PrefixList(text) | Peer::Group(text) => text,
    };
    let protocol = if ports.protocol == "-1" { "ALL" } else { &ports.protocol };
    format!(
        "peer: {peer}, {}, from port: {}, to port: {}, ALLOW",
        protocol.to_uppercase(),
        ports.from,
        ports.to
    )
}
