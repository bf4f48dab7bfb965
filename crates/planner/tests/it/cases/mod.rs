//! Recorded cases of the reference, by module.

mod adapter;
mod config;
mod figures;
mod machine;
mod models;
mod support;

pub(crate) use support::alike;
