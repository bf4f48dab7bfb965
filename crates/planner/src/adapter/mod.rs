//! The planner as the autoscaler of a simulation: from a simulator's observations to decisions and records.

mod cache;
mod gpu_hours;
mod policy;
mod record;
mod targets;
mod traffic;

pub use cache::{PassCache, Prune};
pub use gpu_hours::GpuHours;
pub use policy::{PlannerPolicy, PlannerSetup, PolicyError};
pub use record::{DecisionView, TickView, replica_transitions};
pub use traffic::{TrafficMeans, merge_traffic};
