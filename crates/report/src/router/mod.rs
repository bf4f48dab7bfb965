//! What routers did: who got how much, what they knew, how long they waited.

mod hits;
mod spread;
mod stats;
mod summary;

pub(crate) use hits::HitSums;
pub(crate) use stats::RouterStats;
pub use summary::{HitRate, PoolRouting, RouterSummary, SpreadPoint};
