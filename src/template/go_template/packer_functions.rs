//! The functions that Packer adds to Go's.

use super::builtin::too_long;
use super::moment::{RFC3339_LAYOUT, go_layout_format, strftime};
use super::render::LONGEST;
use super::{Data, Effect, Functions, Moment};

/// Bytes of the longest layout that a time may be shown in.
const LONGEST_LAYOUT: usize = 4096;

/// Packer's template functions, with all that they know coming from the caller.
///
/// Fields that are `None` or [`Available::No`] make their functions fail with a word on where
/// they work. Start from [`PackerFunctions::new`].
pub struct PackerFunctions<'a> {
    /// When the process started: `timestamp`, `isotime`, `strftime` and the first part of `uuid`.
    pub moment: Moment,
    /// Twelve random bytes for each `uuid`.
    pub entropy: &'a dyn Fn() -> [u8; 12],
    /// `build_name`.
    pub build_name: Option<&'a str>,
    /// `build_type`: the builder's type.
    pub build_type: Option<&'a str>,
    /// `pwd`: the working directory.
    pub working_directory: Option<&'a str>,
    /// `template_dir`: the absolute directory of the template.
    pub template_directory: Option<&'a str>,
    /// `packer_version`: the version of Packer that we are as good as.
    pub packer_version: &'a str,
    /// `user NAME`: a variable.
    pub user: Available<'a>,
    /// `env NAME`: an environment variable.
    pub env: Available<'a>,
    /// `build KEY`: a value of the running build.
    pub build: Available<'a>,
    /// `consul_key`, `vault`, `aws_secretsmanager` and `aws_secretsmanager_raw`.
    pub secret: Available<'a>,
    /// Whether `clean_resource_name` exists: in the options of Amazon's builders.
    pub has_clean_resource_name: bool,
}

/// Looks something up for a function; errors say what is wrong with it.
pub type Ask<'a> = &'a dyn Fn(&Request<'_>) -> Result<String, String>;

/// What a function is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The function's name.
    pub function: &'r str,
    /// Its first argument: a name, key or path.
    pub key: &'r str,
    /// Its second argument: the key within a secret.
    pub part: Option<&'r str>,
}

/// Whether a function works where the template stands.
#[derive(Clone, Copy)]
pub enum Available<'a> {
    /// It does.
    Yes(Ask<'a>),
    /// It does not; the text says where it works or what to write instead. `FUNCTION` and
    /// `NAME` in it are replaced by the function's name and its argument.
    No(&'a str),
}

/// Why `user` does not work in HCL.
pub const USER_IN_HCL: &str = "`user` works in JSON templates only; use `var.NAME` instead";
/// Why `env` does not work in the options of a JSON template.
pub const ENV_IN_OPTION: &str =
    "`env` works only in the values of `variables`; set a variable there and use `user`";
/// Why `env` does not work in HCL's texts.
pub const ENV_IN_HCL: &str =
    "`env` works only in a variable's default: `default = env(\"NAME\")`; then use the variable";
/// Why `template_dir` does not work in HCL.
const TEMPLATE_DIR_IN_HCL: &str =
    "`template_dir` works in JSON templates only; use `path.root` instead";
/// Why `build` does not work in HCL.
pub const BUILD_IN_HCL: &str = "`build` works in JSON templates only; use `build.NAME` instead";
/// Why `build` does not work in builders and variables of a JSON template.
pub const BUILD_OUTSIDE_STEPS: &str =
    "`build` works only in provisioners and post-processors, once the machine is there";
/// Why secrets do not work in the options of a JSON template.
pub const SECRET_IN_OPTION: &str =
    "`FUNCTION` works only in the values of `variables`; set a variable there and use `user`";
/// Why secrets do not work in HCL's texts.
pub const SECRET_IN_HCL: &str =
    "`{{FUNCTION}}` works in JSON templates only; call `FUNCTION` in a `locals` block instead";

impl<'a> PackerFunctions<'a> {
    /// The functions as they work in the texts of an HCL template: no look-ups.
    pub fn new(moment: Moment, entropy: &'a dyn Fn() -> [u8; 12], packer_version: &'a str) -> Self {
        Self {
            moment,
            entropy,
            build_name: None,
            build_type: None,
            working_directory: None,
            template_directory: None,
            packer_version,
            user: Available::No(USER_IN_HCL),
            env: Available::No(ENV_IN_HCL),
            build: Available::No(BUILD_IN_HCL),
            secret: Available::No(SECRET_IN_HCL),
            has_clean_resource_name: false,
        }
    }

    fn ask(
        &self,
        available: Available<'_>,
        function: &str,
        arguments: &[Data],
    ) -> Result<String, String> {
        let (key, part) = match arguments {
            [Data::String(key)] => (key.as_str(), None),
            // Only these two have values inside of values.
            [Data::String(key), Data::String(part)]
                if matches!(function, "vault" | "aws_secretsmanager") =>
            {
                (key.as_str(), Some(part.as_str()))
            }
            [first, ..] if !matches!(first, Data::String(_)) => {
                return Err(format!("`{function}` takes a name, not {}", first.kind()));
            }
            _ => return Err(format!("`{function}` takes one name, in quotes")),
        };
        match available {
            Available::Yes(ask) => ask(&Request { function, key, part }),
            Available::No(reason) => Err(reason.replace("FUNCTION", function).replace("NAME", key)),
        }
    }

    fn uuid(&self) -> String {
        // 32 bits of time in front, so that later ones sort later.
        let seconds = self.moment.seconds().rem_euclid(1 << 32);
        let random = (self.entropy)().map(|byte| format!("{byte:02x}")).concat();
        let mut text = format!("{seconds:08x}-{random}");
        for at in [13, 18, 23] {
            text.insert(at, '-');
        }
        text
    }
}

const NAMES: [&str; 22] = [
    "aws_secretsmanager",
    "aws_secretsmanager_raw",
    "build",
    "build_name",
    "build_type",
    "consul_key",
    "env",
    "isotime",
    "lower",
    "packer_version",
    "pwd",
    "replace",
    "replace_all",
    "sed",
    "split",
    "strftime",
    "template_dir",
    "timestamp",
    "upper",
    "user",
    "uuid",
    "vault",
];

impl Functions for PackerFunctions<'_> {
    fn call(&self, name: &str, arguments: &[Data]) -> Option<Result<Data, String>> {
        let given = |value: Option<&str>, where_: &str| -> Result<String, String> {
            none(name, arguments)?;
            value.map(str::to_owned).ok_or_else(|| format!("`{name}` is known only {where_}"))
        };
        let result = match name {
            "timestamp" => none(name, arguments).map(|()| self.moment.seconds().to_string()),
            "isotime" if arguments.is_empty() => Ok(go_layout_format(RFC3339_LAYOUT, self.moment)),
            "isotime" => {
                layout(name, arguments).map(|layout| go_layout_format(layout, self.moment))
            }
            "strftime" => layout(name, arguments).map(|layout| strftime(layout, self.moment)),
            "uuid" => none(name, arguments).map(|()| self.uuid()),
            "upper" => strings(name, "text", arguments).map(|[text]| upper(text)),
            "lower" => strings(name, "text", arguments).map(|[text]| lower(text)),
            "replace" => match arguments {
                [Data::String(old), Data::String(new), count, Data::String(text)] => {
                    whole(name, "count", count)
                        .and_then(|count| replace(text, old, new, usize::try_from(count).ok()))
                }
                _ => Err("`replace` takes OLD NEW COUNT TEXT, and COUNT is an integer".to_owned()),
            },
            "replace_all" => strings(name, "OLD NEW TEXT", arguments)
                .and_then(|[old, new, text]| replace(text, old, new, None)),
            "split" => match arguments {
                [Data::String(text), Data::String(separator), index] => {
                    whole(name, "index", index).and_then(|index| split(text, separator, index))
                }
                _ => Err("`split` takes TEXT SEPARATOR INDEX, and INDEX is an integer".to_owned()),
            },
            "sed" => {
                Err("`sed` was removed from Packer; use `replace` or `replace_all`".to_owned())
            }
            "clean_resource_name" if self.has_clean_resource_name => {
                strings(name, "text", arguments).map(|[text]| clean_resource_name(text))
            }
            "clean_resource_name" => {
                Err("`clean_resource_name` works only in the options of Amazon's builders".into())
            }
            "build_name" => given(self.build_name, "inside of a build"),
            "build_type" => given(self.build_type, "inside of a build"),
            "pwd" => given(self.working_directory, "where there is a working directory"),
            "template_dir" => match (none(name, arguments), self.template_directory) {
                (Err(message), _) => Err(message),
                (Ok(()), Some(directory)) => Ok(directory.to_owned()),
                (Ok(()), None) => Err(TEMPLATE_DIR_IN_HCL.to_owned()),
            },
            "packer_version" => given(Some(self.packer_version), ""),
            "user" => self.ask(self.user, name, arguments),
            "env" => self.ask(self.env, name, arguments),
            "build" => self.ask(self.build, name, arguments),
            "consul_key" | "vault" | "aws_secretsmanager" | "aws_secretsmanager_raw" => {
                self.ask(self.secret, name, arguments)
            }
            _ => return None,
        };
        Some(result.map(Data::String))
    }

    fn names(&self) -> Vec<&str> {
        // Known everywhere, so that its error can say where it works.
        NAMES.iter().copied().chain(["clean_resource_name"]).collect()
    }

    fn effect(&self, name: &str) -> Effect {
        match name {
            "timestamp" | "isotime" | "strftime" | "uuid" => Effect::Volatile,
            "user"
            | "env"
            | "build"
            | "consul_key"
            | "vault"
            | "aws_secretsmanager"
            | "aws_secretsmanager_raw" => Effect::Lookup,
            _ => Effect::Pure,
        }
    }
}

fn none(name: &str, arguments: &[Data]) -> Result<(), String> {
    match arguments {
        [] => Ok(()),
        _ => Err(format!("`{name}` takes no arguments")),
    }
}

fn strings<'d, const N: usize>(
    name: &str,
    what: &str,
    arguments: &'d [Data],
) -> Result<[&'d str; N], String> {
    let texts = arguments
        .iter()
        .map(|argument| match argument {
            Data::String(text) => Ok(text.as_str()),
            other => Err(format!("`{name}` takes strings, not {}", other.kind())),
        })
        .collect::<Result<Vec<&str>, String>>()?;
    let count = texts.len();
    texts.try_into().map_err(|_| match N {
        1 => format!("`{name}` takes one {what}, not {count}"),
        _ => format!("`{name}` takes {what}: {N} arguments, not {count}"),
    })
}

/// The layout of a time, of a length that is one.
fn layout<'d>(name: &str, arguments: &'d [Data]) -> Result<&'d str, String> {
    let [layout] = strings(name, "layout", arguments)?;
    if layout.len() > LONGEST_LAYOUT {
        return Err(format!("the layout of `{name}` is longer than {LONGEST_LAYOUT} bytes"));
    }
    Ok(layout)
}

/// A whole number, or a float that is one.
fn whole(name: &str, what: &str, value: &Data) -> Result<i64, String> {
    match value {
        Data::Integer(number) => Ok(*number),
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Ok(*number as i64),
        other => Err(format!("the {what} of `{name}` is an integer, not {}", other.kind())),
    }
}

/// Go changes case character by character: `ß` has no upper case.
fn upper(text: &str) -> String {
    text.chars().map(|c| single(c.to_uppercase()).unwrap_or(c)).collect()
}

fn lower(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'İ' => 'i',
            c => single(c.to_lowercase()).unwrap_or(c),
        })
        .collect()
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    characters.next().filter(|_| characters.next().is_none())
}

/// Replaces the first `count` places, or all. An empty `old` stands before each character and
/// at the end.
fn replace(text: &str, old: &str, new: &str, count: Option<usize>) -> Result<String, String> {
    let places = text.matches(old).count().min(count.unwrap_or(usize::MAX));
    let longest = places.saturating_mul(new.len()).saturating_add(text.len());
    if longest > LONGEST {
        return Err(too_long(LONGEST));
    }
    Ok(text.replacen(old, new, places))
}

fn split(text: &str, separator: &str, index: i64) -> Result<String, String> {
    // An empty separator splits between characters, where Rust adds two empty ends.
    let empty = separator.is_empty();
    let parts = || text.split(separator).filter(|part| !(empty && part.is_empty()));
    let found = usize::try_from(index).ok().and_then(|index| parts().nth(index));
    found.map(str::to_owned).ok_or_else(|| {
        let count = parts().count();
        let plural = if count == 1 { "" } else { "s" };
        format!("there is no part {index}: `{separator}` splits the text into {count} part{plural}")
    })
}

/// The text with each byte that an AMI's name may not have replaced by `-`.
pub fn clean_resource_name(text: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&byte);
    text.bytes().map(|byte| if allowed(byte) { char::from(byte) } else { '-' }).collect()
}
