//! The engine against clouds that are not AWS.

mod collection;
mod fake_ec2;
mod fake_iam;
mod faults;
mod lease;
mod login;
mod preflight;
mod support;
mod windows;
