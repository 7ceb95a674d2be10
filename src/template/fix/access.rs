//! Options of the SSH communicator, in all builders.

use super::fixer::{Fixer, builders};
use super::option::new_name;
use super::tree::Json;

pub(super) const KEY_PATH: Fixer = Fixer {
    name: "sshkeypath",
    doc: "`ssh_key_path` is `ssh_private_key_file`",
    run: |template| rename(template, "ssh_key_path"),
};

pub(super) const DISABLE_AGENT: Fixer = Fixer {
    name: "sshdisableagent",
    doc: "`ssh_disable_agent` is `ssh_disable_agent_forwarding`",
    run: |template| rename(template, "ssh_disable_agent"),
};

pub(super) const WAIT_TIMEOUT: Fixer = Fixer {
    name: "ssh-wait-timeout",
    doc: "`ssh_wait_timeout` is `ssh_timeout`",
    run: |template| rename(template, "ssh_wait_timeout"),
};

fn rename(template: &mut Json, old: &str) {
    builders(template, "").for_each(|builder| builder.rename(old, new_name(old)));
}
