//! Which worker holds how much of a prompt, by hashes of its blocks: what a
//! gateway in front of real engines keeps, fed by their cache events.
//!
//! The simulator's own index, by runs of blocks, is [`crate::RunIndex`].

mod arena;
#[cfg(test)]
mod audit;
mod block_hash;
mod children;
mod concurrent;
mod error;
mod events;
mod expiry;
mod handles;
mod holdings;
mod index;
mod lower_tier;
mod query;
mod sets;
mod tiered;
mod tree;
mod walk;

pub use block_hash::{Block, BlockHasher, EngineHash, LocalHash, WorkerKey, sequence_hashes};
pub use concurrent::{ConcurrentIndex, IndexLock};
pub use error::IndexError;
pub use events::BlockEvent;
pub use expiry::ApproximateIndex;
pub use index::{HashIndex, Matching};
pub use query::{EarlyExit, Matches, PrefixIndex};
pub use tiered::{Tier, TierDepths, TieredIndex};
