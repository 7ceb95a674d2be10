//! The builds whose calls go wrong.

use std::path::PathBuf;

use crate::support::{Endpoint, Workspace, quoted};

/// A build, and the cloud that it is run in.
pub(super) struct Subject {
    /// What the matrix calls it.
    pub(super) name: &'static str,
    /// Options of the source.
    source: &'static str,
    /// Steps of the build.
    steps: &'static str,
    /// What always goes wrong.
    faults: &'static [&'static str],
    /// Actions that go wrong here as well, although an earlier build calls them.
    pub(super) also: &'static [&'static str],
    /// What always goes wrong makes the build fail.
    pub(super) fails: bool,
    /// There is an image of the same name.
    replaces: bool,
}

const PLAIN: Subject = Subject {
    name: "",
    source: "",
    steps: "",
    faults: &[],
    also: &[],
    fails: false,
    replaces: false,
};

/// All builds; an action goes wrong in the first that calls it.
pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "ssh",
        source: "ssh_username = \"ec2-user\"",
        steps: "provisioner \"shell\" {\n    inline = [\"true\"]\n  }",
        ..PLAIN
    },
    Subject {
        name: "profile",
        source: "communicator = \"none\"
  temporary_iam_instance_profile_policy_document {
    Version = \"2012-10-17\"
    Statement {
      Effect   = \"Allow\"
      Action   = [\"s3:GetObject\"]
      Resource = [\"*\"]
    }
  }",
        ..PLAIN
    },
    Subject {
        name: "shared",
        source: "communicator          = \"none\"
  ami_name              = \"shared\"
  force_deregister      = true
  force_delete_snapshot = true
  ami_users             = [\"123456789012\"]
  snapshot_users        = [\"123456789012\"]
  imds_support          = \"v2.0\"
  deprecate_at          = \"2050-01-01T00:00:00Z\"
  ena_support           = true
  deregistration_protection {
    enabled = true
  }
  subnet_filter {
    filters = { \"availability-zone\" = \"us-east-1a\" }
    random  = true
  }
  launch_block_device_mappings {
    device_name = \"/dev/sdf\"
    volume_size = 1
  }",
        replaces: true,
        ..PLAIN
    },
    Subject {
        name: "failing",
        source: "communicator = \"none\"
  deprecate_at = \"2050-01-01T00:00:00Z\"",
        faults: &["EnableImageDeprecation:*:error=InvalidParameterValue/It is too late."],
        also: &["DeregisterImage", "DescribeSnapshots", "DeleteSnapshot"],
        fails: true,
        ..PLAIN
    },
    Subject {
        name: "ssm",
        source: "communicator = \"ssm\"",
        steps: "provisioner \"shell\" {\n    inline = [\"true\"]\n  }",
        ..PLAIN
    },
    Subject {
        name: "ssm, by a bucket",
        source: "communicator = \"ssm\"\n  ssm_bucket   = \"bucket\"",
        steps: "provisioner \"file\" {
    source      = \"large\"
    destination = \"/opt/large\"
  }
  provisioner \"file\" {
    direction   = \"download\"
    source      = \"/opt/large\"
    destination = \"large.back\"
  }",
        faults: &["StartSession:*:error=AccessDeniedException/Not to you."],
        also: &["SendCommand", "GetCommandInvocation"],
        ..PLAIN
    },
];

impl Subject {
    /// The subject of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SUBJECTS.iter().find(|one| one.name == name)
    }

    /// Its cloud, with these faults besides its own. Images take a moment, so that they are looked
    /// at while they are pending.
    pub(super) fn endpoint(&self, workspace: &Workspace, faults: &[String]) -> Endpoint {
        self.endpoint_with("snapshot=300ms", workspace, faults)
    }

    /// The same with other latencies.
    pub(super) fn endpoint_with(
        &self,
        latency: &str,
        workspace: &Workspace,
        faults: &[String],
    ) -> Endpoint {
        if self.replaces {
            self.make_image_of_the_same_name(workspace);
        }
        let own = self.faults.iter().copied();
        let all = own.chain(faults.iter().map(String::as_str));
        let faults = all.flat_map(|rule| ["--fault", rule]);
        let options: Vec<_> = ["--latency", latency].into_iter().chain(faults).collect();
        Endpoint::start(workspace, &options)
    }

    /// Images outlive their endpoint.
    fn make_image_of_the_same_name(&self, workspace: &Workspace) {
        let endpoint = Endpoint::start(workspace, &[]);
        let old = "source \"amazon-ebs\" \"old\" {
  instance_type = \"t3.micro\"
  source_ami    = \"ami-12345678\"
  communicator  = \"none\"
  ami_name      = \"shared\"
}
build {
  sources = [\"source.amazon-ebs.old\"]
}
";
        let path = workspace.write("old.pkr.hcl", old);
        endpoint.build(workspace, &[], &path).expect(0);
        endpoint.stop();
    }

    /// Writes its template.
    pub(super) fn template(&self, workspace: &Workspace, one_attempt: bool) -> PathBuf {
        if self.steps.contains("\"large\"") {
            let large = workspace.write("large", large());
            let steps = self.steps.replace("\"large\"", &quoted(&large.display().to_string()));
            let back = workspace.path().join("large.back");
            let steps = steps.replace("\"large.back\"", &quoted(&back.display().to_string()));
            return self.template_with(workspace, &steps, one_attempt);
        }
        self.template_with(workspace, self.steps, one_attempt)
    }

    fn template_with(&self, workspace: &Workspace, steps: &str, one_attempt: bool) -> PathBuf {
        let retries = if one_attempt { "max_retries = 1" } else { "" };
        let text = format!(
            "data \"amazon-parameterstore\" \"base\" {{
  name = \"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64\"
  {retries}
}}
source \"amazon-ebs\" \"t\" {{
  instance_type = \"t3.micro\"
  source_ami    = data.amazon-parameterstore.base.value
  {source}
  {retries}
}}
build {{
  sources = [\"source.amazon-ebs.t\"]
  {steps}
}}
",
            source = self.source
        );
        workspace.write("t.pkr.hcl", text)
    }
}

/// More than goes without a bucket, and nothing that can be compressed.
fn large() -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    };
    (0..1_200_000).map(|_| next()).collect()
}
