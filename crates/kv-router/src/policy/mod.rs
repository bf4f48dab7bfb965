//! Routing policies, one file each.

mod kv;
mod least_loaded;
mod round_robin;

pub use kv::{KvRouter, PrefillEstimator, Side};
pub use least_loaded::LeastLoaded;
pub use round_robin::RoundRobin;
