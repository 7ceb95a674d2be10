//! The query protocol: form-encoded names with dots to a tree.
//!
//! `Filter.1.Value.2=x` is the second `Value` of the first `Filter`. Lists may
//! have gaps and need not be in order, as with EC2.

use std::collections::BTreeMap;

use crate::sandbox::cloud::{
    CloudError, Filter, MappingRequest, Page, PermissionChange, Permissions, TagSpecification,
};

/// More parameters than any real call has.
const MAX_PARAMETERS: usize = 8192;
/// Deeper than any real parameter is.
const MAX_DEPTH: usize = 8;
/// More members than a list may have.
const MAX_MEMBERS: usize = 1000;

/// The parameters of a request, or those below one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Params {
    value: Option<String>,
    members: BTreeMap<String, Params>,
}

static NOTHING: Params = Params { value: None, members: BTreeMap::new() };

impl Params {
    /// Adds the parameters of a query string or of a form body.
    pub(super) fn add(&mut self, text: &[u8]) -> Result<(), CloudError> {
        for (count, (name, value)) in form_urlencoded::parse(text).enumerate() {
            if count >= MAX_PARAMETERS {
                return Err(CloudError::new(
                    "InvalidRequest",
                    "The request has too many parameters",
                ));
            }
            if name.split('.').count() > MAX_DEPTH {
                return Err(CloudError::new(
                    "UnknownParameter",
                    "The request has a parameter that is nested too deeply",
                ));
            }
            let mut node = &mut *self;
            for part in name.split('.') {
                node = node.members.entry(part.to_owned()).or_default();
            }
            node.value = Some(value.into_owned());
        }
        Ok(())
    }

    /// A text that may be absent. Empty counts as absent, as EC2 has it nearly everywhere.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.any(name).filter(|value| !value.is_empty())
    }

    /// As [`Params::text`], where an empty text is one.
    pub(super) fn any(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(|member| member.value.as_deref())
    }

    /// An owned [`Params::text`].
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, CloudError> {
        self.text(name).ok_or_else(|| CloudError::missing(name))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, CloudError> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(CloudError::invalid(format!(
                "Invalid value '{other}' for {name}. Expecting a boolean."
            ))),
        }
    }

    /// Whether a flag is given and true.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, CloudError> {
        Ok(self.flag(name)?.unwrap_or(false))
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, CloudError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                CloudError::invalid(format!(
                    "Invalid value '{text}' for {name}. Expecting an integer."
                ))
            })
        };
        self.text(name).map(parse).transpose()
    }

    /// What is below a name; nothing when there is nothing.
    pub(super) fn group(&self, name: &str) -> &Params {
        self.members.get(name).unwrap_or(&NOTHING)
    }

    /// Whether nothing is given here or below.
    pub(super) fn is_empty(&self) -> bool {
        self.value.is_none() && self.members.is_empty()
    }

    /// The members of a list, by number.
    pub(super) fn list(&self, name: &str) -> Result<Vec<&Params>, CloudError> {
        let list = self.group(name);
        // STS lists have `member` in between.
        let list = list.members.get("member").unwrap_or(list);
        let mut members: Vec<(u32, &Params)> = list
            .members
            .iter()
            .filter_map(|(number, member)| Some((number.parse().ok()?, member)))
            .collect();
        if members.len() > MAX_MEMBERS {
            return Err(CloudError::new(
                "InvalidParameterValue",
                format!("The parameter {name} has more than {MAX_MEMBERS} members"),
            ));
        }
        members.sort_by_key(|(number, _)| *number);
        Ok(members.into_iter().map(|(_, member)| member).collect())
    }

    /// The members of a list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.list(name)?.into_iter().filter_map(|member| member.value.clone()).collect())
    }

    /// The `Value` of an attribute: `Description.Value=x`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.group(name).any("Value")
    }

    /// `Filter.n`
    pub(super) fn filters(&self) -> Result<Vec<Filter>, CloudError> {
        let filter = |member: &Params| {
            Ok(Filter { name: member.required("Name")?.to_owned(), values: member.texts("Value")? })
        };
        self.list("Filter")?.into_iter().map(filter).collect()
    }

    /// `MaxResults` and `NextToken`
    pub(super) fn page(&self) -> Result<Page, CloudError> {
        Ok(Page { max_results: self.number("MaxResults")?, next_token: self.owned("NextToken") })
    }

    /// `Tag.n`
    pub(super) fn tags(&self) -> Result<Vec<(String, String)>, CloudError> {
        let tag = |member: &Params| {
            let key = member.any("Key").ok_or_else(|| CloudError::missing("Tag.Key"))?;
            Ok((key.to_owned(), member.any("Value").unwrap_or_default().to_owned()))
        };
        self.list("Tag")?.into_iter().map(tag).collect()
    }

    /// `TagSpecification.n`
    pub(super) fn tag_specifications(&self) -> Result<Vec<TagSpecification>, CloudError> {
        let specification = |member: &Params| {
            Ok(TagSpecification {
                resource_type: member.required("ResourceType")?.to_owned(),
                tags: member.tags()?,
            })
        };
        self.list("TagSpecification")?.into_iter().map(specification).collect()
    }

    /// `BlockDeviceMapping.n`
    pub(super) fn block_devices(&self) -> Result<Vec<MappingRequest>, CloudError> {
        let mapping = |member: &Params| {
            let ebs = member.group("Ebs");
            Ok(MappingRequest {
                device: member.required("DeviceName")?.to_owned(),
                // Its presence counts, whatever its value.
                no_device: member.any("NoDevice").is_some(),
                virtual_name: member.owned("VirtualName"),
                delete_on_termination: ebs.flag("DeleteOnTermination")?,
                size: ebs.number("VolumeSize")?,
                volume_type: ebs.owned("VolumeType"),
                iops: ebs.number("Iops")?,
                throughput: ebs.number("Throughput")?,
                encrypted: ebs.flag("Encrypted")?,
                kms_key_id: ebs.owned("KmsKeyId"),
                snapshot_id: ebs.owned("SnapshotId"),
            })
        };
        self.list("BlockDeviceMapping")?.into_iter().map(mapping).collect()
    }

    /// Launch or volume permissions below `name`, or in the older form beside `OperationType`.
    pub(super) fn permissions(&self, name: &str) -> Result<PermissionChange, CloudError> {
        let items = |list: &str| -> Result<Permissions, CloudError> {
            let mut permissions = Permissions::default();
            for item in self.group(name).list(list)? {
                permissions.users.extend(item.owned("UserId"));
                permissions.groups.extend(item.owned("Group"));
                permissions.organizations.extend(item.owned("OrganizationArn"));
                permissions.units.extend(item.owned("OrganizationalUnitArn"));
            }
            Ok(permissions)
        };
        let mut change = PermissionChange { add: items("Add")?, remove: items("Remove")? };
        let old = Permissions {
            users: self.texts("UserId")?.into_iter().collect(),
            groups: self.texts("UserGroup")?.into_iter().collect(),
            organizations: self.texts("OrganizationArn")?.into_iter().collect(),
            units: self.texts("OrganizationalUnitArn")?.into_iter().collect(),
        };
        if old != Permissions::default() {
            match self.required("OperationType")? {
                "add" => change.add = old,
                "remove" => change.remove = old,
                other => return Err(CloudError::invalid_value("OperationType", other)),
            }
        }
        Ok(change)
    }

    /// All parameters but some, in a canonical form: what a client token stands for.
    pub(super) fn canonical(&self, without: &[&str]) -> String {
        fn write(params: &Params, name: &str, out: &mut String) {
            if let Some(value) = &params.value {
                out.push_str(&format!("{}:{name}={}:{value};", name.len(), value.len()));
            }
            for (member, below) in &params.members {
                write(below, &format!("{name}.{member}"), out);
            }
        }
        let mut out = String::new();
        for (name, below) in &self.members {
            if !without.contains(&name.as_str()) {
                write(below, name, &mut out);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(text: &str) -> Params {
        let mut params = Params::default();
        params.add(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        params
    }

    #[test]
    fn lists_are_in_the_order_of_their_numbers() {
        let params = params("Id.10=c&Id.2=b&Id.1=a&Id.x=no&Name=%20a+b%C3%A9");
        assert_eq!(params.texts("Id"), Ok(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(params.text("Name"), Some(" a bé"));
    }

    #[test]
    fn filters_tags_and_mappings() {
        let params = params(
            "Filter.1.Name=name&Filter.1.Value.1=a*&Filter.1.Value.2=b\
             &TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=\
             &BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.VolumeSize=30\
             &BlockDeviceMapping.2.DeviceName=/dev/sdb&BlockDeviceMapping.2.NoDevice=",
        );
        let expected = Filter { name: "name".into(), values: vec!["a*".into(), "b".into()] };
        assert_eq!(params.filters(), Ok(vec![expected]));
        let tags = params.tag_specifications().unwrap_or_default();
        assert_eq!(tags.first().map(|t| t.tags.clone()), Some(vec![("k".into(), String::new())]));
        let devices = params.block_devices().unwrap_or_default();
        assert_eq!(
            devices.iter().map(|d| (d.size, d.no_device)).collect::<Vec<_>>(),
            [(Some(30), false), (None, true)]
        );
    }

    #[test]
    fn wrong_types_are_named() {
        let params = params("Count=many&Flag=maybe");
        assert!(params.number("Count").is_err_and(|error| error.message.contains("Count")));
        assert!(params.flag("Flag").is_err_and(|error| error.message.contains("Flag")));
        assert!(params.required("Other").is_err_and(|error| error.code == "MissingParameter"));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let deep = format!("{}=1", ["a"; MAX_DEPTH + 1].join("."));
        assert!(Params::default().add(deep.as_bytes()).is_err());
        let many: String = (0..=MAX_PARAMETERS).map(|n| format!("a{n}=1&")).collect();
        assert!(Params::default().add(many.as_bytes()).is_err());
        let members: String = (0..=MAX_MEMBERS).map(|n| format!("Id.{n}=1&")).collect();
        assert!(params(&members).texts("Id").is_err());
    }

    #[test]
    fn a_token_covers_names_and_values() {
        let canonical = |text: &str| params(text).canonical(&["ClientToken"]);
        assert_eq!(canonical("a=1&b.1=2&ClientToken=x"), canonical("b.1=2&ClientToken=y&a=1"));
        assert_ne!(canonical("a=1&b=2"), canonical("a=1;b=2"));
        assert_ne!(canonical("a.1=1"), canonical("a.2=1"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut params = Params::default();
            if params.add(&bytes).is_ok() {
                drop((params.filters(), params.page(), params.tag_specifications()));
                drop((params.block_devices(), params.permissions("LaunchPermission")));
                drop(params.canonical(&[]));
            }
        }

        #[test]
        fn nor_do_plausible_names(
            names in proptest::collection::vec("(Filter|Tag|TagSpecification|BlockDeviceMapping|MaxResults|Add)(\\.([0-9]{1,12}|Name|Value|Key|Ebs|member|)){0,5}", 0..20),
            value in "\\PC{0,12}",
        ) {
            let pairs = names.iter().map(|name| (name.as_str(), value.as_str()));
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let mut params = Params::default();
            if params.add(text.as_bytes()).is_ok() {
                drop((params.filters(), params.page(), params.tag_specifications()));
                drop((params.block_devices(), params.tags()));
            }
        }
    }
}
