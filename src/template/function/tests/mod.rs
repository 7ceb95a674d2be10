//! Tables of calls, a file for each group of functions, and what holds for all of them. Values
//! without a remark are those of Packer 1.6.6, or of Terraform 1.11.4 for functions that are newer
//! and come from the same library.

mod collection;
mod crypto;
mod encoding;
mod filesystem;
mod format;
mod network;
mod numeric;
mod properties;
mod string;
mod time;
mod types;
mod yaml;

use super::{all, find};

/// All tables.
const TABLES: [&str; 11] = [
    collection::TABLE,
    crypto::TABLE,
    encoding::TABLE,
    filesystem::TABLE,
    format::TABLE,
    network::TABLE,
    numeric::TABLE,
    string::TABLE,
    time::TABLE,
    types::TABLE,
    yaml::TABLE,
];

/// Look-ups over the network, which have tests of their own.
const LOOKUPS: [&str; 4] = ["aws_secretsmanager", "aws_secretsmanager_raw", "consul_key", "vault"];

#[test]
fn every_function_stands_in_a_table() {
    let is_called = |name: &str| {
        let call = format!("{name}(");
        TABLES.iter().any(|table| {
            table.match_indices(&call).any(|(at, _)| {
                let before = table.get(..at).unwrap_or_default().chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let without: Vec<&str> = all()
        .map(|function| function.name)
        .filter(|name| !is_called(name) && !LOOKUPS.contains(name))
        .collect();
    assert!(without.is_empty(), "functions without a test: {without:?}");
}

#[test]
fn every_function_of_packer_is_known() {
    // Section 3.1 of the inventory, `env` included.
    let names = "abs ceil floor log max min parseint pow signum sum chomp endswith format \
        formatlist indent join lower upper title regex regexall regex_replace replace split \
        startswith strcontains strrev substr trim trimprefix trimsuffix trimspace alltrue anytrue \
        chunklist coalesce coalescelist compact concat contains distinct element flatten index \
        keys length lookup merge range reverse setintersection setproduct setunion slice sort \
        values zipmap base64decode base64encode base64gzip csvdecode jsondecode jsonencode \
        textdecodebase64 textencodebase64 urlencode yamldecode yamlencode abspath basename dirname \
        pathexpand file fileexists fileset filebase64 templatefile timestamp timeadd formatdate \
        legacy_isotime legacy_strftime rfc3339_parse unix_timestamp_parse bcrypt md5 sha1 sha256 \
        sha512 rsadecrypt uuidv4 uuidv5 cidrhost cidrnetmask cidrsubnet cidrsubnets can try \
        convert consul_key vault aws_secretsmanager aws_secretsmanager_raw env";
    let names: Vec<&str> = names.split_whitespace().collect();
    assert_eq!(names.len(), 104);
    let unknown: Vec<&&str> = names.iter().filter(|name| find(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn signatures_name_parameters_and_types() {
    let signature = |name| find(name).expect("known").signature();
    assert_eq!(signature("substr"), "substr(text: string, offset: number, length: number)");
    assert_eq!(signature("join"), "join(separator: string, lists: list(string)...)");
}
