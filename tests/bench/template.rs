//! Templates to be measured with.

/// A template of so many builds, each with sources and provisioners of its own.
pub(crate) fn generated(builds: usize, sources: usize, provisioners: usize) -> String {
    let mut text = "variable \"region\" {\n  default = \"eu-west-1\"\n}\n\nlocals {\n  tags = { Team = \"images\", Region = var.region }\n}\n".to_owned();
    for build in 0..builds {
        for source in 0..sources {
            text += &format!(
                "\nsource \"amazon-ebs\" \"s{build}_{source}\" {{\n  ami_name      = \"image-{build}-{source}-{{{{timestamp}}}}\"\n  source_ami    = \"ami-12345678\"\n  instance_type = \"t3.micro\"\n  ssh_username  = \"admin\"\n  region        = var.region\n  tags          = merge(local.tags, {{ Number = \"{build}\" }})\n}}\n"
            );
        }
        let names: Vec<_> =
            (0..sources).map(|source| format!("\"source.amazon-ebs.s{build}_{source}\"")).collect();
        text +=
            &format!("\nbuild {{\n  name    = \"b{build}\"\n  sources = [{}]\n", names.join(", "));
        for step in 0..provisioners {
            text += &format!(
                "\n  provisioner \"shell\" {{\n    environment_vars = [\"REGION=${{var.region}}\"]\n    inline           = [\"echo step {step} of ${{source.name}}\", \"uptime\"]\n  }}\n"
            );
        }
        text += "}\n";
    }
    text
}

/// The quickstart template without what Packer 1.6.6 does not know.
pub(crate) fn for_old_packer(text: &str) -> String {
    let plugins = text.find("packer {").expect("asks for plugins");
    let rest = text.find("variable ").expect("has a variable");
    let text = format!("{}{}", &text[..plugins], &text[rest..]);
    text.replacen(
        "  instance_type",
        "  ami_name      = \"quickstart\"\n  region        = \"eu-west-1\"\n  instance_type",
        1,
    )
}
