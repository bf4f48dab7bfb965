//! Request routers: round robin and prefix overlap with load tracking.

mod policy;

pub use policy::RoundRobin;
