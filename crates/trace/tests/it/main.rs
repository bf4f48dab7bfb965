//! The crate from outside: workloads as a run sees them.

mod agentic;
mod error_cases;
mod files;
mod playing;
mod real_traces;
mod twin;
mod workloads;
