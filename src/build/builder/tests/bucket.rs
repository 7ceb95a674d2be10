//! The bucket of `communicator = "ssm"`.

use super::support::said;

const LOGIN: &str = "ssh_host = \"db\"\nssh_username = \"admin\"\nssh_password = \"x\"\n";
const SOURCE: &str = "region = \"eu-west-1\"\ninstance_type = \"t3.micro\"\nsource_ami = \"ami-1\"\nami_name = \"app\"\ncommunicator = \"ssm\"\n";

#[test]
fn a_bucket_is_named_as_buckets_are() {
    for name in ["artifacts", "a.b-c1"] {
        assert_eq!(said("amazon-ebs", &format!("{SOURCE}ssm_bucket = \"{name}\"")), "");
    }
    for name in ["s3://artifacts", "ab", "Artifacts"] {
        let found = said("amazon-ebs", &format!("{SOURCE}ssm_bucket = \"{name}\""));
        assert!(found.contains(&format!("`{name}` is no name of a bucket")), "{found}");
        assert!(found.contains("without `s3://`"), "{found}");
    }
}

#[test]
fn a_bucket_without_effect_is_told() {
    insta::assert_snapshot!(
        said("null", &format!("{LOGIN}ssm_bucket = \"artifacts\"")),
        @r#"
    warning[no-effect]: `ssm_bucket` has no effect with `communicator = "ssh"`
      leave it out, or set `communicator = "ssm"`
    "#
    );
    insta::assert_snapshot!(
        said("amazon-ebs", &format!("{SOURCE}ssm_bucket_prefix = \"builds\"")),
        @"warning[no-effect]: `ssm_bucket_prefix` has no effect without `ssm_bucket`"
    );
}
