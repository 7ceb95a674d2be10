//! Functions of neighbours that make no sense here, and what to write instead.

/// What to write instead of a function that Terraform, OpenTofu, or Packer's older templates have.
pub(crate) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "list" => "write `[a, b]`, or `tolist([a, b])` when it has to be a list",
        "map" => "write `{ a = b }`, or `tomap({ a = b })` when it has to be a map",
        "ephemeralasnull" => "no value is ephemeral here; leave the call out",
        "clean_resource_name" => {
            "write `{{clean_resource_name \"…\"}}` in an option of an Amazon builder, or \
             `regex_replace(text, \"[^a-zA-Z0-9()\\\\[\\\\] ./'@_-]\", \"-\")`"
        }
        "isotime" => "write `legacy_isotime(layout)`, or `formatdate(format, timestamp())`",
        "strftime" => "write `legacy_strftime(format)`, or `formatdate(format, timestamp())`",
        "user" => "a variable is `var.NAME`",
        "build" => "a value of the running build is `build.NAME`",
        "build_name" => "write `source.name`, or `build.name`",
        "build_type" => "write `source.type`",
        "pwd" => "the working directory is `path.cwd`",
        "template_dir" => "the directory of the template is `path.root`",
        "packer_version" => "write `packer.version`",
        "replace_all" => "write `replace(text, part, replacement)`",
        "sed" => "write `regex_replace(text, pattern, replacement)`",
        _ if name.starts_with("provider::") => "functions of providers are Terraform's",
        _ => return None,
    })
}
