//! The engine against clouds that are not AWS.

mod moto;
mod support;
