//! The bytes of a script.

/// What runs `inline` commands unless the template says otherwise.
const SHEBANG: &str = "/bin/sh -e";

/// One script of some commands.
pub(super) fn of_commands(commands: &[String], shebang: Option<&str>) -> Vec<u8> {
    let mut text = String::new();
    let own = commands.first().is_some_and(|first| first.starts_with("#!"));
    if shebang.is_some() || !own {
        text.push_str("#!");
        text.push_str(shebang.unwrap_or(SHEBANG));
        text.push('\n');
    }
    for command in commands {
        text.push_str(command);
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(commands: &[&str], shebang: Option<&str>) -> String {
        let commands: Vec<_> = commands.iter().map(|&one| one.into()).collect();
        String::from_utf8(of_commands(&commands, shebang)).unwrap()
    }

    #[test]
    fn commands_get_a_shebang_unless_they_bring_one() {
        assert_eq!(commands(&["a", "b"], None), "#!/bin/sh -e\na\nb\n");
        assert_eq!(commands(&["#!/bin/bash\na"], None), "#!/bin/bash\na\n");
        assert_eq!(commands(&["#!/bin/bash", "a"], Some("/bin/x")), "#!/bin/x\n#!/bin/bash\na\n");
    }
}
