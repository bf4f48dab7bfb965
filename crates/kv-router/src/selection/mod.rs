//! One routing decision: what a worker costs, which worker that makes the
//! choice, and where a request that has to wait stands. Keeps no state.

mod choice;
mod cost;
mod queue_key;
mod selector;

pub(crate) use choice::pick;
pub(crate) use cost::CostTerms;
pub use queue_key::queue_key;
pub use selector::{
    CacheTiers, Candidate, Overrides, SelectError, Selection, SelectionRequest, Selector,
    WorkerView,
};
