//! What bake understands on its command line, and Packer's spelling of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::aws::S3Prefix;
use crate::plan::lock::Scope;
use crate::sandbox::cloud::Latency;
use crate::sandbox::endpoint::FaultRule;
use crate::template::schema::parse_go_duration;

/// A flag that is taken out of the arguments before they are read: see [`machine_readable`].
const MACHINE_READABLE: &str = "With -machine-readable anywhere among the arguments, output is rows for programs, as Packer's.";

/// bake: machine images from Packer templates, named by the hash of their inputs.
#[derive(Debug, Parser)]
#[command(name = "bake", version, about, max_term_width = 100, after_help = MACHINE_READABLE)]
pub(super) struct Arguments {
    /// Write a debugging log to standard error; twice for the libraries' too.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Build the images of a template.
    Build(BuildArguments),
    /// Check a template without touching the network.
    Validate(ValidateArguments),
    /// Print the hash of each build; without -resolve, the network is not touched.
    Hash(HashArguments),
    /// Show the variables, locals and builds of a template.
    Inspect(ExploreArguments),
    /// Evaluate expressions, typed or from a pipe.
    Console(ExploreArguments),
    /// Bring HCL files into canonical layout.
    Fmt(FmtArguments),
    /// Say what of a template's `required_plugins` is built in; nothing is installed.
    Init(InitArguments),
    /// Say which plugins' components are built in.
    Plugins(PluginsArguments),
    /// Print bake's version, and the version of Packer whose templates it reads.
    Version,
    /// Print a legacy JSON template with what has been renamed or given up put right.
    Fix(FixArguments),
    /// Write a legacy JSON template in HCL, and prove that its hashes stay the same.
    #[command(visible_alias = "hcl2_upgrade")]
    Upgrade(UpgradeArguments),
    /// Run and look after the embedded sandbox.
    Sandbox(SandboxArguments),
    /// Pin what a template looks up in `bake.lock`, beside it.
    Lock(LockArguments),
    /// Say why two hashes differ: each input that does, to the line.
    Why(WhyArguments),
    /// List the files and variables that a template depends on.
    Inputs(DependsArguments),
    /// Build a template twice in the sandbox, and say which files differ and why.
    ///
    /// The images are built beside those that exist and removed again. This is of the sandbox only:
    /// elsewhere the files of an image cannot be seen, and `bake verify` compares what it claims.
    Repro(ReproArguments),
    /// Say whether an image is what it claims to be.
    ///
    /// Anywhere: which hash it claims, whether the plan that was recorded for the hash fits it, and
    /// whether a template still makes it. In the sandbox also: whether its files are those that were
    /// captured.
    Verify(VerifyArguments),
    /// Remove what runs left that died; end with 3 if something is still there.
    Gc(GcArguments),
    /// List the runs of this machine, show one, or finish the image of one that died.
    Runs(RunsArguments),
}

/// A template and the values of its variables.
#[derive(Args, Clone, Debug)]
pub(super) struct TemplateArguments {
    /// An HCL or JSON template, or a directory of `*.pkr.hcl` files.
    #[arg(value_name = "TEMPLATE")]
    pub(super) template: PathBuf,
    #[command(flatten)]
    pub(super) values: ValueArguments,
    #[command(flatten)]
    pub(super) builds: SelectedBuilds,
    #[command(flatten)]
    pub(super) elsewhere: Elsewhere,
}

impl TemplateArguments {
    /// All builds of a template, with these values.
    pub(super) fn of(template: PathBuf, values: ValueArguments) -> Self {
        let (builds, elsewhere) = (SelectedBuilds::default(), Elsewhere::default());
        Self { template, values, builds, elsewhere }
    }
}

/// Which builds of a template are meant; without any word, all.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct SelectedBuilds {
    /// Only builds that match one of these names or patterns, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// All builds but those that match one of these names or patterns.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) except: Vec<String>,
}

impl SelectedBuilds {
    /// Whether no build is left out.
    pub(super) fn are_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }
}

/// Flags of Packer that have nothing to act on here: taken, so that scripts work as they are.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Elsewhere {
    /// There are no plugins.
    #[arg(long, hide = true)]
    ignore_prerelease_plugins: bool,
    /// Locals and data sources are always evaluated in the order in which they need each other.
    #[arg(long, hide = true)]
    use_sequential_evaluation: bool,
    /// A template says by its name and its text what it is written in.
    #[arg(long, hide = true, value_enum, value_name = "TYPE")]
    config_type: Option<ConfigType>,
}

#[derive(Args, Debug)]
pub(super) struct ValidateArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Only parse the template; evaluate nothing.
    #[arg(long)]
    pub(super) syntax_only: bool,
    /// Look up what data sources and secrets are; this touches the network.
    #[arg(long)]
    pub(super) evaluate_datasources: bool,
    /// Say nothing of values for variables that are not declared.
    #[arg(long)]
    pub(super) no_warn_undeclared_var: bool,
    /// Look up nothing that is not pinned in `bake.lock`.
    #[arg(long, requires = "evaluate_datasources")]
    pub(super) locked: bool,
}

/// Flags that Packer takes with every template, where there are no builds to choose from.
#[derive(Args, Debug)]
pub(super) struct Selected {
    #[arg(long, hide = true, value_name = "NAMES")]
    only: Vec<String>,
    #[arg(long, hide = true, value_name = "NAMES")]
    except: Vec<String>,
    #[arg(long, hide = true)]
    use_sequential_evaluation: bool,
}

#[derive(Args, Debug)]
pub(super) struct InitArguments {
    /// An HCL template, or a directory of `*.pkr.hcl` files.
    #[arg(value_name = "TEMPLATE")]
    pub(super) template: PathBuf,
    /// There is nothing to upgrade.
    #[arg(long, hide = true)]
    upgrade: bool,
    /// There is nothing to install again.
    #[arg(long, hide = true)]
    force: bool,
    #[command(flatten)]
    values: ValueArguments,
    #[command(flatten)]
    selected: Selected,
}

#[derive(Args, Debug)]
pub(super) struct PluginsArguments {
    #[command(subcommand)]
    pub(super) command: PluginsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum PluginsCommand {
    /// List the plugins whose components are built in.
    Installed,
    /// List the plugins that a template asks for.
    Required {
        /// An HCL template, or a directory of `*.pkr.hcl` files.
        #[arg(value_name = "TEMPLATE")]
        template: PathBuf,
    },
    /// Say that a plugin is built in, or that it is not.
    Install {
        /// Such as `github.com/hashicorp/amazon`.
        source: String,
        /// A version constraint.
        constraint: Option<String>,
    },
    /// Refuse: what is built in cannot be removed.
    Remove {
        /// Such as `github.com/hashicorp/amazon`.
        source: String,
        /// A version constraint.
        constraint: Option<String>,
    },
}

/// Values of variables.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ValueArguments {
    /// Set a variable; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) variables: Vec<(String, String)>,
    /// Read variables from a file; may be repeated.
    #[arg(long = "var-file", value_name = "FILE")]
    pub(super) variable_files: Vec<PathBuf>,
}

/// A template to look into.
#[derive(Args, Debug)]
pub(super) struct ExploreArguments {
    /// An HCL or JSON template, or a directory of `*.pkr.hcl` files; by default an empty one.
    #[arg(value_name = "TEMPLATE")]
    pub(super) template: Option<PathBuf>,
    #[command(flatten)]
    pub(super) values: ValueArguments,
    /// What an empty template is written in.
    #[arg(long, value_enum, default_value_t = ConfigType::Hcl2, value_name = "TYPE")]
    pub(super) config_type: ConfigType,
    #[command(flatten)]
    selected: Selected,
}

/// The two kinds of templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ConfigType {
    /// HCL2, with expressions.
    Hcl2,
    /// Legacy JSON, with Go templates.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct BuildArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Warn of values for variables that are not declared.
    #[arg(long)]
    pub(super) warn_on_undeclared_var: bool,
    /// There is no registry that enforces provisioners.
    #[arg(long, hide = true)]
    skip_enforcement: bool,
    /// Build even if an image of this hash exists; an image of the same name is replaced.
    #[arg(long)]
    pub(super) force: bool,
    /// Build if the image of this hash is older: `7d`, `36h`, `1d12h`.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    pub(super) max_age: Option<Duration>,
    /// After how long without a sign of life the build is taken for dead, and its instance powers
    /// itself off.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "6h")]
    pub(super) lifetime: Duration,
    /// What to do with the instance and the rest when a build fails.
    #[arg(long, value_enum, default_value_t = OnError::Cleanup, value_name = "WHAT")]
    pub(super) on_error: OnError,
    /// Remove what differs from build to build before the image is made, as the last step.
    #[arg(long)]
    pub(super) normalize: bool,
    /// How many builds may run at the same time; 0 for all.
    #[arg(long, default_value_t = 0, value_name = "N", allow_negative_numbers = true)]
    pub(super) parallel_builds: i64,
    /// Whether to colour the output; by default when it is a terminal.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(super) color: Option<bool>,
    /// Start each line with its time.
    #[arg(long)]
    pub(super) timestamp_ui: bool,
    /// Build on this machine instead of AWS.
    #[arg(long)]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) behaviour: SandboxBehaviour,
    /// Look up nothing that is not pinned in `bake.lock`.
    #[arg(long)]
    pub(super) locked: bool,
    #[command(flatten)]
    pub(super) records: RecordsArguments,
}

/// Where records of image hashes are, besides this machine.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct RecordsArguments {
    /// Where in S3 records of what image hashes were taken over are kept, besides this machine;
    /// empty for nowhere.
    #[arg(long, value_name = "s3://BUCKET/PREFIX", env = "BAKE_RECORDS", hide_env_values = true)]
    records: Option<RecordsPlace>,
}

impl RecordsArguments {
    /// The place, if there is one.
    pub(super) fn place(&self) -> Option<&S3Prefix> {
        self.records.as_ref()?.0.as_ref()
    }
}

/// A place in S3, or none: so that a flag can take back what the environment says.
#[derive(Clone, Debug)]
struct RecordsPlace(Option<S3Prefix>);

impl std::str::FromStr for RecordsPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

/// What happens to the resources of a failed build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OnError {
    /// Remove everything.
    Cleanup,
    /// Leave everything as it is and list it.
    Abort,
}

#[derive(Args, Debug)]
pub(super) struct FmtArguments {
    /// HCL files, directories with `*.pkr.hcl` and `*.pkrvars.hcl` files, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Write nothing; end with 3 if a file would change.
    #[arg(long)]
    pub(super) check: bool,
    /// Show what changes.
    #[arg(long)]
    pub(super) diff: bool,
    /// Whether to write the files.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub(super) write: bool,
    /// Go into directories in directories, too.
    #[arg(long)]
    pub(super) recursive: bool,
    #[command(flatten)]
    values: ValueArguments,
    #[command(flatten)]
    selected: Selected,
    #[arg(long, hide = true, value_enum, value_name = "TYPE")]
    config_type: Option<ConfigType>,
}

#[derive(Args, Debug)]
pub(super) struct FixArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Whether to check the result, too.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub(super) validate: bool,
}

#[derive(Args, Debug)]
pub(super) struct UpgradeArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Where to write; `-` is standard output. By default the template's name with `.pkr.hcl`.
    #[arg(long, value_name = "FILE")]
    pub(super) output_file: Option<PathBuf>,
    /// Say in comments what was done and why.
    #[arg(long)]
    pub(super) with_annotations: bool,
}

#[derive(Args, Debug)]
pub(super) struct SandboxArguments {
    #[command(subcommand)]
    pub(super) command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SandboxCommand {
    /// Serve the sandbox's EC2 endpoint for other clients.
    Serve(ServeArguments),
    /// List the images of the sandbox.
    Images,
    /// Remove images or bases from the sandbox.
    Rm {
        /// Image ids, image names or base names.
        #[arg(required = true, value_name = "IMAGE")]
        names: Vec<String>,
    },
    /// Add a root file system that images can be built on.
    Import {
        /// What to call it. What it stands in for is what its `/etc/os-release` says.
        name: String,
        /// A directory, or a tar archive (plain or gzip).
        from: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(super) struct LockArguments {
    /// An HCL or JSON template, or a directory of `*.pkr.hcl` files.
    #[arg(value_name = "TEMPLATE", required_unless_present = "update")]
    template: Option<PathBuf>,
    #[command(flatten)]
    values: ValueArguments,
    #[command(flatten)]
    builds: SelectedBuilds,
    #[command(flatten)]
    elsewhere: Elsewhere,
    /// Look again for what is pinned: for all of it, or for what is called so (`amazon-ebs.web`,
    /// `data.http.list`, `vault`).
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    update: Option<Option<String>>,
    /// Look up in the sandbox instead of AWS.
    #[arg(long)]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) behaviour: SandboxBehaviour,
}

impl LockArguments {
    /// The template, and what is looked for again: the one word after `-update` is the template.
    /// `None` where there is no template.
    pub(super) fn meant(self) -> Option<(TemplateArguments, Scope, SandboxBehaviour)> {
        let Self { template, values, builds, elsewhere, update, behaviour, .. } = self;
        let (template, again) = match (template, update) {
            (Some(template), None) => (template, Scope::Nothing),
            (Some(template), Some(None)) => (template, Scope::All),
            (Some(template), Some(Some(name))) => (template, Scope::Named(name)),
            (None, Some(Some(template))) => (PathBuf::from(template), Scope::All),
            (None, _) => return None,
        };
        let template = TemplateArguments { template, values, builds, elsewhere };
        Some((template, again, behaviour))
    }
}

#[derive(Args, Debug)]
pub(super) struct ServeArguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub(super) listen: std::net::SocketAddr,
    #[command(flatten)]
    pub(super) behaviour: SandboxBehaviour,
}

#[derive(Args, Debug)]
pub(super) struct GcArguments {
    /// Remove nothing; list what would be removed, and why.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Only what this run left: its id, or how that begins.
    #[arg(long, value_name = "ID")]
    pub(super) run: Option<String>,
    /// Only what runs left that began at least this long ago, such as `2h` or `7d`.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    pub(super) older_than: Option<Duration>,
    /// Look in this region by tags, too; may be repeated. By default in the configured one.
    #[arg(long = "region", value_name = "REGION")]
    pub(super) regions: Vec<String>,
    /// Look by tags in all regions that are enabled for the account.
    #[arg(long, conflicts_with = "regions")]
    pub(super) all_regions: bool,
    /// Look in the embedded sandbox instead of AWS.
    #[arg(long)]
    pub(super) sandbox: bool,
    /// Give up on what this dead run left: its ledger is closed, and nothing is removed. Takes the
    /// whole id.
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["run", "older_than", "regions", "all_regions", "sandbox"]
    )]
    pub(super) forget: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct RunsArguments {
    #[command(subcommand)]
    pub(super) command: Option<RunsCommand>,
    /// Print the list as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// Show what a run was about and what is left of it.
    Show {
        /// The run's id, or how it begins.
        #[arg(value_name = "ID")]
        id: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Wait for the image that a dead run had begun, finish it, and remove what else is left.
    Resume {
        /// The run's id, or how it begins.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Forget old runs of which nothing is left, and old records of image hashes, on this machine.
    Prune {
        /// Runs that began, and records that were written last, at least this long ago: `90d`.
        #[arg(long, value_name = "AGE", value_parser = duration)]
        older_than: Duration,
        /// Remove nothing; list what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
}

/// How much like EC2 the sandbox behaves.
#[derive(Args, Debug, Default)]
pub(super) struct SandboxBehaviour {
    /// How long state changes of the sandbox take: `none`, `aws`, or such as `running=2s,image=5s`.
    #[arg(long, value_name = "TIMES")]
    pub(super) latency: Option<Latency>,
    /// A fault that the sandbox shows, such as `RunInstances:2:throttle`; may be repeated.
    #[arg(long = "fault", value_name = "RULE")]
    pub(super) faults: Vec<FaultRule>,
}

#[derive(Args, Debug)]
pub(super) struct HashArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Print every input with its digest.
    #[arg(long)]
    pub(super) explain: bool,
    /// End with 1 unless a build has this hash, and say what differs from what it was taken over.
    #[arg(long, value_name = "HASH", value_parser = hash_prefix)]
    pub(super) check: Option<String>,
    /// Look up data sources and the source image, and print the image hash.
    #[arg(long)]
    pub(super) resolve: bool,
    /// Look things up in the sandbox of this machine instead of AWS.
    #[arg(long, requires = "resolve")]
    pub(super) sandbox: bool,
    /// Look up nothing that is not pinned in `bake.lock`.
    #[arg(long, requires = "resolve")]
    pub(super) locked: bool,
    #[command(flatten)]
    pub(super) records: RecordsArguments,
}

/// Flags that hold for both sides.
#[derive(Args, Debug)]
pub(super) struct WhyArguments {
    /// A template, a directory of `*.pkr.hcl` files, `REV:PATH` of git, a hash or its beginning, the
    /// id of a run, or the id of an image.
    #[arg(value_name = "OLD")]
    pub(super) old: String,
    /// The same; what is new is told in its words.
    #[arg(value_name = "NEW")]
    pub(super) new: String,
    #[command(flatten)]
    pub(super) values: ValueArguments,
    #[command(flatten)]
    pub(super) builds: SelectedBuilds,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    /// Where images are looked up; by default from AWS_REGION or the profile.
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// Look images up in the sandbox of this machine instead of AWS.
    #[arg(long)]
    pub(super) sandbox: bool,
    #[command(flatten)]
    pub(super) records: RecordsArguments,
}

#[derive(Args, Debug)]
pub(super) struct DependsArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Print JSON.
    #[arg(long, conflicts_with = "paths")]
    pub(super) json: bool,
    /// Print nothing but the paths of files and directories, and patterns of files that would count.
    #[arg(long)]
    pub(super) paths: bool,
}

/// The beginning of a hash: enough digits to mean something.
fn hash_prefix(text: &str) -> Result<String, String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if (8..=64).contains(&text.len()) && text.bytes().all(is_digit) {
        return Ok(text.to_owned());
    }
    Err("a hash is 64 digits of 0-9 and a-f; its first 8 are enough".to_owned())
}

#[derive(Args, Debug)]
pub(super) struct ReproArguments {
    #[command(flatten)]
    pub(super) template: TemplateArguments,
    /// Remove what is known to differ from build to build, as `bake build -normalize` does.
    #[arg(long)]
    pub(super) normalize: bool,
    /// Keep both images.
    #[arg(long)]
    pub(super) keep: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) behaviour: SandboxBehaviour,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    /// An image id.
    #[arg(value_name = "IMAGE")]
    pub(super) image: String,
    /// The template that is to make it; by default the one that it was made of, if it is there.
    #[arg(value_name = "TEMPLATE")]
    pub(super) template: Option<PathBuf>,
    #[command(flatten)]
    pub(super) values: ValueArguments,
    /// The image's region; by default as for any other client of AWS.
    #[arg(long)]
    pub(super) region: Option<String>,
    /// The image is in the sandbox; by default when it has one of that id.
    #[arg(long, conflicts_with = "region")]
    pub(super) sandbox: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) records: RecordsArguments,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("`{text}` has no `=`; write `-var name=value`"))
}

/// Reads a duration: days (`7d`), a duration as templates write them (`36h`), or one after the other.
fn duration(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let wrong = || format!("`{text}` is not a duration such as `7d`, `36h` or `1d12h`");
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) => (days.parse::<u32>().map_err(|_| wrong())?, rest),
        None => (0, text),
    };
    let rest = match rest {
        "" if text.contains('d') => Duration::ZERO,
        rest => parse_go_duration(rest).map_err(|_| wrong())?,
    };
    DAY.checked_mul(days).and_then(|days| days.checked_add(rest)).ok_or_else(wrong)
}

/// Takes `-machine-readable` out of the arguments, wherever it stands, as Packer does; whether it
/// was there.
pub(super) fn machine_readable(
    arguments: impl IntoIterator<Item = OsString>,
) -> (Vec<OsString>, bool) {
    let is_flag = |word: &OsString| word == "-machine-readable" || word == "--machine-readable";
    let (flags, others): (Vec<_>, Vec<_>) = arguments.into_iter().partition(is_flag);
    (others, !flags.is_empty())
}

/// Brings Packer's single-dash flags (`-var-file=x`) into the form with two, which works as well.
pub(super) fn long_flags(
    arguments: impl IntoIterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    let mut literal = false;
    arguments.into_iter().map(move |argument| {
        literal |= argument == "--";
        match argument.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(rest) if !literal && is_long(rest) => format!("--{rest}").into(),
            _ => argument,
        }
    })
}

/// Whether what follows a dash is a word rather than a letter, a repeated letter or a number.
fn is_long(rest: &str) -> bool {
    let name = rest.split('=').next().unwrap_or_default();
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let repeated = name.chars().all(|c| name.starts_with(c));
    name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && letters && !repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(arguments: &[&str]) -> Vec<String> {
        long_flags(arguments.iter().map(OsString::from))
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn single_dash_flags_get_their_second() {
        assert_eq!(
            long(&[
                "bake",
                "build",
                "-var",
                "a=-b",
                "-var-file=x",
                "-only=a,b",
                "-v",
                "-vv",
                "-1",
                "x"
            ]),
            [
                "bake",
                "build",
                "--var",
                "a=-b",
                "--var-file=x",
                "--only=a,b",
                "-v",
                "-vv",
                "-1",
                "x"
            ]
        );
        assert_eq!(long(&["bake", "--", "-force"]), ["bake", "--", "-force"]);
    }

    #[test]
    fn a_duration_may_have_days() {
        let hours = |count: u64| Ok(Duration::from_secs(count * 3600));
        for (text, count) in [("7d", 168), ("36h", 36), ("1d12h", 36), ("0d", 0), ("90m30m", 2)] {
            assert_eq!(duration(text), hours(count), "{text}");
        }
        for text in ["", "d", "7", "-1d", "1.5d", "1h1d", "1d1d", "7 days", "99999999999d"] {
            let wrong = format!("`{text}` is not a duration such as `7d`, `36h` or `1d12h`");
            assert_eq!(duration(text), Err(wrong));
        }
    }

    #[test]
    fn machine_readable_is_taken_from_anywhere() {
        let taken = |words: &[&str]| machine_readable(words.iter().map(OsString::from));
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(taken(&["bake", "-machine-readable", "x"]), (words(&["bake", "x"]), true));
        assert_eq!(taken(&["bake", "x", "--machine-readable"]), (words(&["bake", "x"]), true));
        let others = ["bake", "-machine-readable=x", "machine-readable"];
        assert_eq!(taken(&others), (words(&others), false));
    }

    #[test]
    fn the_declaration_is_sound() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
