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

/// With the line ends of Unix.
pub(super) fn with_unix_lines(bytes: &[u8]) -> Vec<u8> {
    let mut converted = Vec::with_capacity(bytes.len() + 1);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        converted.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        converted.push(b'\n');
    }
    converted
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

    #[test]
    fn line_ends_become_those_of_unix() {
        assert_eq!(with_unix_lines(b"a\r\nb"), b"a\nb\n");
        assert_eq!(with_unix_lines(b"a\rb\n"), b"a\rb\n");
        assert_eq!(with_unix_lines(b""), b"");
        let long = vec![b'x'; 200_000];
        assert_eq!(with_unix_lines(&long).len(), 200_001);
    }
}
