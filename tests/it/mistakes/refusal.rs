//! A run of bake that is to be refused.

use std::net::TcpListener;
use std::process::Command;

use aws_sdk_ec2::types::InstanceStateName;

use crate::support::{Endpoint, Outcome, Relay, Running, Workspace};

/// A directory with files, and a command line.
pub(super) struct Mistake {
    workspace: Workspace,
    arguments: Vec<String>,
}

impl Mistake {
    /// `bake build` with further arguments, the template among them.
    pub(super) fn build(arguments: &[&str]) -> Self {
        let arguments = ["build"].iter().chain(arguments).map(|&one| one.to_owned()).collect();
        Self { workspace: Workspace::new(), arguments }
    }

    /// Adds a file to the directory in which bake runs.
    pub(super) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.workspace.write(name, text);
        self
    }

    /// bake, with credentials that look right, for an endpoint.
    pub(super) fn command(&self, endpoint: &str) -> Command {
        let mut command = self.workspace.command(&self.arguments);
        command
            .current_dir(self.workspace.path())
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    /// Runs it and returns standard error: the endpoint that it is given must not hear of it.
    #[track_caller]
    pub(super) fn refused(&self) -> String {
        let endpoint = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", endpoint.local_addr().expect("an address"));
        let outcome = Running::start(self.command(&url)).finish().expect(1);
        endpoint.set_nonblocking(true).expect("can be polled");
        assert!(endpoint.accept().is_err(), "bake called the endpoint: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "errors belong to standard error");
        self.without_directory(&outcome.stderr)
    }

    /// Runs it against a sandbox, and returns the error at the end of the build log. Nothing may
    /// have been asked for but information, and nothing may be there.
    #[track_caller]
    pub(super) fn refused_by(&self, cloud: &Endpoint) -> String {
        self.refused_before(cloud, &[])
    }

    /// The same after other builds, which have launched these instances.
    #[track_caller]
    pub(super) fn refused_before(
        &self,
        cloud: &Endpoint,
        launched: &[(String, InstanceStateName)],
    ) -> String {
        let said = self.denied_by(cloud);
        assert_eq!(cloud.instances(), launched, "an instance was launched");
        cloud.assert_only_images();
        said
    }

    /// The same, where the sandbox itself cannot be asked what it holds.
    #[track_caller]
    pub(super) fn denied_by(&self, cloud: &Endpoint) -> String {
        let relay = Relay::to(cloud.url());
        let command = self.command(&relay.url());
        let outcome = Running::start(command).finish().expect(1);
        relay.assert_only_asked();
        self.error_in(&outcome, &relay.url())
    }

    /// What follows the headline of failed builds, without what differs from run to run.
    #[track_caller]
    pub(super) fn error_in(&self, outcome: &Outcome, endpoint: &str) -> String {
        assert!(!outcome.stderr.contains("error"), "{}", outcome.stderr);
        let headline = "==> Some builds didn't complete successfully and had errors:\n";
        let (_, errors) =
            outcome.stdout.split_once(headline).unwrap_or_else(|| panic!("{}", outcome.stdout));
        let text = self.without_directory(errors).replace(endpoint, "ENDPOINT");
        let id = regex::Regex::new("request id [0-9a-f-]{36}").expect("a pattern");
        id.replace_all(&text, "request id ID").into_owned()
    }

    fn without_directory(&self, text: &str) -> String {
        text.replace(self.workspace.path().to_str().expect("UTF-8"), "HERE")
    }
}

/// What is said about a template.
#[track_caller]
pub(super) fn refused(template: &str) -> String {
    Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", template).refused()
}

/// A template that is right but for the lines that are added to its source.
pub(super) fn with_options(lines: &str) -> String {
    format!(
        "source \"amazon-ebs\" \"web\" {{\n  source_ami    = \"ami-12345678\"\n  \
         instance_type = \"t3.micro\"\n  ssh_username  = \"admin\"\n{lines}\n}}\n\n{BUILD}"
    )
}

/// A template that is right but for the lines that are added to its build.
pub(super) fn with_steps(lines: &str) -> String {
    with_options("").replace("web\"]\n", &format!("web\"]\n{lines}\n"))
}

/// A template that is right, after other lines.
pub(super) fn after(lines: &str) -> String {
    format!("{lines}\n{}", with_options(""))
}

/// A build block for one source.
pub(super) const BUILD: &str = "build {\n  sources = [\"source.amazon-ebs.web\"]\n}\n";
