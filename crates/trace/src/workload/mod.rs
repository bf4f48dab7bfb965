//! Workloads: what a run is driven by.

mod draws;
mod flat;
mod issue;
mod sessions;
mod spec;
mod starts;
mod streamed;
mod synthetic;
mod synthetic_run;

pub use spec::{Load, Pacing, Window, WorkloadSpec};
pub(crate) use spec::{choose, turns_from};
pub use streamed::StreamedTrace;
pub use synthetic::{Spacing, Synthetic};
