//! Collecting the metrics of a run without looking at single tokens.

mod collector;
mod fleet_time;
mod gap_statistics;
mod gaps;
mod histogram;
mod samples;
mod window;

pub use collector::{Collector, CollectorOptions};
pub(crate) use fleet_time::FleetTime;
pub(crate) use samples::{EXACT_LIMIT, Samples};
pub(crate) use window::Window;
