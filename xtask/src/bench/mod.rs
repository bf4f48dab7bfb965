//! `cargo xtask bench`: CPU seconds and memory of whole runs, beside the
//! reference and its newest native engine where they are given.

mod command;
mod measure;
mod rows;
mod table;

pub(crate) use command::{Args, run};
