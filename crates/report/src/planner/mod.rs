//! What a planner did during a run.

mod history;
mod replicas;

pub(crate) use history::PlannerHistory;
pub use history::PlannerSummary;
pub(crate) use replicas::ReplicaHistory;
pub use replicas::{PoolSize, ReplicaPoint};
