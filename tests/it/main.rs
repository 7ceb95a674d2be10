//! bake as its users run it: the real binary, its output, and what it leaves behind.
//!
//! One binary for all of them, since each link pulls in the AWS SDK. Suites that install peers or
//! take long run when `BAKE_TEST_ALL` is set, as CI does.

mod support;

mod building;
mod commands;
mod components;
mod concurrency;
mod corpus;
mod dead_man;
mod identity;
mod interruption;
mod kill_matrix;
mod lock;
mod lookups;
mod machine;
mod machine_readable;
mod mistakes;
mod option_tables;
mod peers;
mod permissions;
mod preflight;
mod properties;
mod records;
mod repro;
mod sandbox_agent;
mod secrets;
mod systems_manager;
mod upgrade;
mod verify;
mod why;

mod fault_matrix;
mod gc;
mod gc_scope;
mod ledger_faults;
mod reuse;
