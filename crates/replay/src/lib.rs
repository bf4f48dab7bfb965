//! One run of a simulated deployment.
//!
//! [`Simulation`] drives a workload, routers, engines, KV hand-offs and an
//! autoscaler over the seams of `sim-api`; it knows none of their concrete
//! types. Aggregated and disaggregated deployments share one loop: a
//! [`Deployment`] with a prefill pool hands requests over, one without does
//! not.
//!
//! Engines run ahead of the clock until something outside could see or touch
//! them, so the loop wakes only for arrivals, hand-offs, workers that become
//! ready, planner ticks, and those outcomes that somebody waits for.
//!
//! ```
//! use replay::{Deployment, KvTransfer, PoolSpec};
//! use sim_core::SimDuration;
//!
//! let pool = |workers| PoolSpec { workers, startup: SimDuration::ZERO };
//! let disaggregated = Deployment {
//!     prefill: Some(pool(1)),
//!     decode: pool(3),
//!     transfer: KvTransfer::free(),
//! };
//! assert_eq!(disaggregated.initial_workers(), 4);
//! ```

mod digest;
mod fleet;
mod fleets;
mod forget;
mod in_flight;
mod outcome;
mod requests;
mod run;
mod scaling;
mod spec;
mod traffic;

pub use digest::DigestObserver;
pub use run::{Parts, Simulation};
pub use spec::{Deployment, KvTransfer, PoolSpec, RunError, RunSpec, TransferTiming};
