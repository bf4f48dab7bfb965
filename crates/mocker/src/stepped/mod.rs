//! Engines that run one pass at a time: the shell around a pass scheduler.

mod report;
mod shell;

pub(crate) use report::PassReport;
pub(crate) use shell::{PassScheduler, Stepped};
