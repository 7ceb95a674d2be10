//! bake against programs of other people's making: moto for EC2, OpenSSH for the instance, pyspnego
//! for the log-in to Windows; and the AWS CLI and boto3 against bake's sandbox.
//!
//! The peers are fetched into `target/peers`, once. Without `BAKE_TEST_ALL` these tests say that
//! they are skipped, but for [`hash`], which is a page of Python that needs nothing else.

mod aws_cli;
mod boto3;
mod hash;
mod hcl_rs;
mod moto;
mod packer;
mod pyspnego;
mod python;
