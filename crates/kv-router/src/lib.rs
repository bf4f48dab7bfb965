//! Request routers: round robin and prefix overlap with load tracking.

mod policy;
mod run_index;

pub use policy::{LeastLoaded, RoundRobin};
pub use run_index::RunIndex;
