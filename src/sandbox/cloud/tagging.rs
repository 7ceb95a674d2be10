//! CreateTags, DeleteTags, DescribeTags.

use super::filter::{Field, Filter, Filterable, select};
use super::page::{Page, Paged};
use super::session::Session;
use super::tag::add_tags;
use super::{CloudError, Tags};

/// A tag with what it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDescription {
    /// `i-…`, …
    pub resource_id: String,
    /// `instance`, …
    pub resource_type: &'static str,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    all: Tags,
}

impl Filterable for TagDescription {
    const FIELDS: &'static [Field<Self>] = &[
        ("key", |t| vec![t.key.clone()]),
        ("value", |t| vec![t.value.clone()]),
        ("resource-id", |t| vec![t.resource_id.clone()]),
        ("resource-type", |t| vec![t.resource_type.to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.all)
    }
}

impl Session<'_> {
    fn tags_mut(&mut self, id: &str) -> Result<&mut Tags, CloudError> {
        let unknown = || CloudError::new("InvalidID", format!("The ID '{id}' is not valid"));
        match id.split('-').next().unwrap_or_default() {
            "i" => Ok(&mut self.instance_mut(id)?.tags),
            "ami" => Ok(&mut self.image_mut(id)?.tags),
            "snap" => Ok(&mut self.snapshot_mut(id)?.tags),
            "vol" => {
                self.volume(id)?;
                self.region.volumes.get_mut(id).map(|volume| &mut volume.tags).ok_or_else(unknown)
            }
            "sg" => {
                self.group(id)?;
                self.region.groups.get_mut(id).map(|group| &mut group.tags).ok_or_else(unknown)
            }
            "sgr" => {
                let mut rules = self.region.groups.values_mut().flat_map(|group| &mut group.rules);
                rules.find(|rule| rule.id == id).map(|rule| &mut rule.tags).ok_or_else(unknown)
            }
            "key" => {
                let mut pairs = self.region.key_pairs.values_mut();
                pairs.find(|pair| pair.id == id).map(|pair| &mut pair.tags).ok_or_else(unknown)
            }
            "vpc" => {
                self.vpc(id)?;
                Ok(&mut self.region.vpc.tags)
            }
            "subnet" => {
                self.subnet(id)?;
                let mut subnets = self.region.subnets.iter_mut();
                subnets.find(|s| s.id == id).map(|subnet| &mut subnet.tags).ok_or_else(unknown)
            }
            "eni" => {
                let mut instances = self.region.instances.values_mut();
                instances
                    .find(|instance| instance.interface_id == id)
                    .map(|instance| &mut instance.interface_tags)
                    .ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    /// CreateTags: on all resources or on none.
    pub fn create_tags(
        &mut self,
        ids: &[String],
        tags: &[(String, String)],
    ) -> Result<(), CloudError> {
        if ids.is_empty() {
            return Err(CloudError::missing("resourceIdSet"));
        }
        if tags.is_empty() {
            return Err(CloudError::missing("tagSet"));
        }
        ids.iter().try_for_each(|id| add_tags(self.tags_mut(id)?, tags))
    }

    /// DeleteTags: by key, and only with this value when one is given; all of them without keys.
    pub fn delete_tags(
        &mut self,
        ids: &[String],
        tags: &[(String, Option<String>)],
    ) -> Result<(), CloudError> {
        if ids.is_empty() {
            return Err(CloudError::missing("resourceIdSet"));
        }
        for id in ids {
            let on = self.tags_mut(id)?;
            on.retain(|key, value| {
                let gone =
                    tags.iter().any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value));
                !(gone || tags.is_empty())
            });
        }
        Ok(())
    }

    /// DescribeTags.
    pub fn describe_tags(
        &mut self,
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<TagDescription>, CloudError> {
        let images = self.own_images()?;
        let snapshots = self.own_snapshots()?;
        let region = &self.region;
        let mut resources: Vec<(&'static str, &String, &Tags)> = Vec::new();
        resources.extend(region.instances.values().map(|r| ("instance", &r.id, &r.tags)));
        resources.extend(
            region
                .instances
                .values()
                .filter(|r| !r.state.is_terminated())
                .map(|r| ("network-interface", &r.interface_id, &r.interface_tags)),
        );
        resources.extend(region.volumes.values().map(|r| ("volume", &r.id, &r.tags)));
        resources.extend(region.key_pairs.values().map(|r| ("key-pair", &r.id, &r.tags)));
        resources.extend(region.groups.values().map(|r| ("security-group", &r.id, &r.tags)));
        let rules = region.groups.values().flat_map(|group| &group.rules);
        resources.extend(rules.map(|r| ("security-group-rule", &r.id, &r.tags)));
        resources.extend(region.subnets.iter().map(|r| ("subnet", &r.id, &r.tags)));
        resources.push(("vpc", &region.vpc.id, &region.vpc.tags));
        resources.extend(images.iter().map(|r| ("image", &r.id, &r.tags)));
        resources.extend(snapshots.iter().map(|r| ("snapshot", &r.id, &r.tags)));
        let described = resources.into_iter().flat_map(|(resource_type, id, tags)| {
            tags.iter().map(move |(key, value)| TagDescription {
                resource_id: id.clone(),
                resource_type,
                key: key.clone(),
                value: value.clone(),
                all: tags.clone(),
            })
        });
        page.cut(select(described, filters)?, |tag| format!("{} {}", tag.resource_id, tag.key))
    }
}
