//! The engine against clouds that are not AWS.

mod fake_ec2;
mod faults;
mod login;
mod support;
