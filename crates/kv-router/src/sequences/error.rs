//! Why the tracker refuses a call.

use crate::hash_index::WorkerKey;

/// A call that does not fit the requests known; it changed nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SequenceError {
    /// The id is in use, on this worker or another.
    #[error(
        "request {request} already exists on worker {}:{}; free it before its id is used again",
        worker.id, worker.rank
    )]
    DuplicateRequest {
        /// The id.
        request: String,
        /// Who has it.
        worker: WorkerKey,
    },
    /// No such request: never added, freed, or gone with its worker.
    #[error("request {request} not found: never added, already freed, or its worker was removed")]
    RequestNotFound {
        /// The id.
        request: String,
    },
    /// A share of a block's weight that is none.
    #[error("fraction {fraction} of request {request} must be from 0 to 1")]
    InvalidFraction {
        /// The id.
        request: String,
        /// What was given.
        fraction: f64,
    },
}
