//! The `amazon-instance` builder.

use super::support::said;

#[test]
fn an_account_a_bucket_and_a_certificate_are_needed() {
    let minimal =
        "source_ami = \"ami-12345678\"\ninstance_type = \"m3.medium\"\nssh_username = \"admin\"\n";
    insta::assert_snapshot!(said("amazon-instance", minimal), @"
    error[wrong-option]: `account_id` is needed
    error[wrong-option]: `s3_bucket` is needed
    error[wrong-option]: `x509_cert_path` is needed
    error[wrong-option]: `x509_key_path` is needed
    ");
    let body = format!(
        r#"{minimal}
          account_id = "1234-5678-9012"
          s3_bucket = "images"
          x509_cert_path = "cert.pem"
          x509_key_path = "key.pem"
          tpm_support = "v1.2""#
    );
    insta::assert_snapshot!(said("amazon-instance", &body), @"
    error[wrong-option]: `tpm_support` cannot be `v1.2`
      one of v2.0
    error[wrong-option]: `cert.pem` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    error[wrong-option]: `key.pem` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    ");
}
