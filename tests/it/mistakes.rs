//! Bad input is refused before anything is launched: with the file, the line and the piece of the
//! template that is wrong, with what helps, and with exit code 1.
//!
//! Each message is here as users see it. Mistakes in a template never reach the network; those that
//! only the cloud can find are told after nothing but questions to it.

mod account;
mod cloud;
mod command_line;
mod files;
mod legacy;
mod options;
mod refusal;
mod syntax;
mod values;
