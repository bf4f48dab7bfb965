//! Routing policies, one file each.

mod draw;
mod kv;
mod least_loaded;
mod power_of_two;
mod prefix_only;
mod random;
mod roster;
mod round_robin;
mod session_affinity;
#[cfg(test)]
mod testing;

pub use kv::{KvRouter, PrefillEstimator, Side};
pub use least_loaded::LeastLoaded;
pub use power_of_two::PowerOfTwo;
pub use prefix_only::PrefixOnly;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use session_affinity::SessionAffinity;
