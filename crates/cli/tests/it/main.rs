//! Whole runs: the reference's cases and recorded runs, the real binary, bad
//! input.

mod bad_input;
mod binary;
mod cases;
mod combinations;
mod convert;
mod fixtures;
mod forgetting;
mod invariants;
mod oracle;
mod pages;
mod perf;
mod routers;
mod scaling;
mod sweep;
mod sweep_store;
