//! What each rank of each worker has to do, by hashes of blocks: a gateway's
//! tracker of active load, told of every admission and every end.
//!
//! No clock runs here: requests stay until they are freed or their worker
//! goes, and the caller says what time it is.

mod error;
mod rank;
mod tracker;

pub use error::SequenceError;
pub use tracker::{PrefillHint, PromptBlocks, RankLoad, SequenceTracker};
