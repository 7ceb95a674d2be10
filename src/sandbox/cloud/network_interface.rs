//! Network interfaces: each instance has one.

use super::filter::{Field, Filter, Filterable, select};
use super::instance::Instance;
use super::session::Session;
use super::{ACCOUNT, CloudError, Tags};

/// The network interface of an instance.
struct NetworkInterface(Instance);

impl Filterable for NetworkInterface {
    const FIELDS: &'static [Field<Self>] = &[
        ("addresses.private-ip-address", |n| n.0.ip().into_iter().collect()),
        ("association.public-ip", |n| n.0.public_ip().into_iter().collect()),
        ("attachment.instance-id", |n| vec![n.0.id.clone()]),
        ("attachment.status", |_| vec!["attached".to_owned()]),
        ("availability-zone", |n| vec![n.0.zone.clone()]),
        ("description", |_| vec![String::new()]),
        ("group-id", |n| n.0.group_ids.clone()),
        ("network-interface-id", |n| vec![n.0.interface_id.clone()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
        ("private-ip-address", |n| n.0.ip().into_iter().collect()),
        ("requester-managed", |_| vec!["false".to_owned()]),
        ("status", |_| vec!["in-use".to_owned()]),
        ("subnet-id", |n| vec![n.0.subnet_id.clone()]),
        ("vpc-id", |n| vec![n.0.vpc_id.clone()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.0.interface_tags)
    }
}

impl Session<'_> {
    /// DescribeNetworkInterfaces: the instances that have them.
    pub fn describe_interfaces(
        &self,
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Instance>, CloudError> {
        let live = || {
            let instances = self.region.instances.values().filter(|i| i.visible(self.now));
            instances.filter(|instance| !instance.state.is_terminated())
        };
        if let Some(id) = ids.iter().find(|id| !live().any(|i| i.interface_id == **id)) {
            return Err(CloudError::new(
                "InvalidNetworkInterfaceID.NotFound",
                format!("The networkInterface ID '{id}' does not exist"),
            ));
        }
        let chosen = live().filter(|i| ids.is_empty() || ids.contains(&i.interface_id));
        let interfaces = select(chosen.cloned().map(NetworkInterface), filters)?;
        Ok(interfaces.into_iter().map(|interface| interface.0).collect())
    }
}
