//! Workloads: what a run is driven by.

mod draws;
mod flat;
mod issue;
mod sessions;
mod spec;
mod starts;
mod synthetic;
mod synthetic_run;

pub use spec::{Load, Pacing, Window, WorkloadSpec};
pub(crate) use spec::{choose, turns_from};
pub use synthetic::{Spacing, Synthetic};
