//! Templates of tests.

/// A template with one source, `amazon-ebs.t`, and these provisioners.
pub(crate) fn template(steps: &str) -> String {
    template_with("source_ami = \"ami-12345678\"", steps)
}

/// The same, with options for the source; `source_ami` must be among them.
pub(crate) fn template_with(options: &str, steps: &str) -> String {
    format!(
        "source \"amazon-ebs\" \"t\" {{
  instance_type = \"t3.micro\"
  ssh_username  = \"admin\"
  {options}
}}
build {{
  sources = [\"source.amazon-ebs.t\"]
  {steps}
}}
"
    )
}

/// A template that launches an image again and runs a script in it; makes no image.
pub(crate) fn looking_into(image: &str, script: &str) -> String {
    let options = format!("source_ami = \"{image}\"\n  skip_create_ami = true");
    template_with(&options, &shell(script))
}

/// A step that runs a script as the login user.
pub(crate) fn shell(script: &str) -> String {
    shell_with("", script)
}

/// The same with more options.
pub(crate) fn shell_with(options: &str, script: &str) -> String {
    format!("provisioner \"shell\" {{\n    {options}\n    inline = [{}]\n  }}\n", quoted(script))
}

/// A string literal of HCL.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}
