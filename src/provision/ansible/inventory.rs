//! The inventory that is made for a run.

use std::path::PathBuf;

use super::options::AnsibleOptions;
use crate::provision::ProvisionError;
use crate::provision::script::Surroundings;
use crate::template::schema::{Deferred, UnknownField};
use crate::value::Value;

/// How Ansible reaches the instance, or what stands for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// The private key, if we know it.
    pub(super) key: Option<PathBuf>,
}

/// The line of a host unless the template says otherwise.
const LINE: &str =
    "{{ .HostAlias }} ansible_host={{ .Host }} ansible_user={{ .User }} ansible_port={{ .Port }}\n";

/// The inventory: the host, alone or in its groups, and groups with nothing in them.
pub(super) fn text(
    around: &Surroundings<'_>,
    options: &AnsibleOptions,
    host: &Host,
) -> Result<String, ProvisionError> {
    let mut fields = around.data.clone();
    for (name, text) in
        [("HostAlias", &options.host_alias), ("Host", &host.address), ("User", &host.user)]
    {
        fields.insert(name.to_owned(), Value::string(text));
    }
    fields.insert("Port".to_owned(), Value::number(u32::from(host.port)));
    let usual = Deferred::new(LINE);
    let template = options.inventory_file_template.as_ref();
    let template = template.filter(|template| !template.text().is_empty()).unwrap_or(&usual);
    let mut line =
        around.render("inventory_file_template", template, &fields, UnknownField::Refuse)?;
    if !line.ends_with('\n') {
        line.push('\n');
    }
    let mut text = line.clone();
    for group in &options.groups {
        text.push_str(&format!("[{group}]\n{line}"));
    }
    for group in &options.empty_groups {
        text.push_str(&format!("[{group}]\n"));
    }
    Ok(text)
}
