//! A command line that cannot be understood: exit code 2.

use crate::support::Workspace;

#[track_caller]
fn misunderstood(arguments: &[&str]) -> String {
    let outcome = Workspace::new().bake(arguments).expect(2);
    assert_eq!(outcome.stdout, "");
    outcome.stderr
}

#[test]
fn an_unknown_command() {
    insta::assert_snapshot!(misunderstood(&["biuld", "web.pkr.hcl"]), @"
    error: unrecognized subcommand 'biuld'

      tip: a similar subcommand exists: 'build'

    Usage: bake [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn no_template() {
    insta::assert_snapshot!(misunderstood(&["build"]), @"
    error: the following required arguments were not provided:
      <TEMPLATE>

    Usage: bake build <TEMPLATE>

    For more information, try '--help'.
    ");
}

#[test]
fn an_unknown_flag() {
    insta::assert_snapshot!(misunderstood(&["build", "-forse", "web.pkr.hcl"]), @"
    error: unexpected argument '--forse' found

      tip: a similar argument exists: '--force'

    Usage: bake build --force <TEMPLATE>

    For more information, try '--help'.
    ");
}

#[test]
fn a_variable_without_value() {
    insta::assert_snapshot!(misunderstood(&["build", "-var", "size", "web.pkr.hcl"]), @"
    error: invalid value 'size' for '--var <NAME=VALUE>': `size` has no `=`; write `-var name=value`

    For more information, try '--help'.
    ");
}

#[test]
fn a_value_that_is_not_among_the_possible_ones() {
    insta::assert_snapshot!(misunderstood(&["build", "-on-error=ask", "web.pkr.hcl"]), @"
    error: invalid value 'ask' for '--on-error <WHAT>'
      [possible values: cleanup, abort]

    For more information, try '--help'.
    ");
}

#[test]
fn a_fault_that_does_not_exist() {
    insta::assert_snapshot!(misunderstood(&["sandbox", "serve", "--fault", "RunInstances:throttle"]), @"
    error: invalid value 'RunInstances:throttle' for '--fault <RULE>': `RunInstances:throttle` is not `ACTION:COUNT:EFFECT`; for example `RunInstances:2:throttle`

    For more information, try '--help'.
    ");
}
