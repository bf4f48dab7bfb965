//! Why an event cannot be applied.

use super::block_hash::{Block, EngineHash, WorkerKey};

/// An event that does not fit what its worker announced before.
///
/// The index stays consistent and usable; what was applied before the error is
/// said at each operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A store continues a block that this worker does not hold.
    #[error(
        "worker {}:{} stores blocks after block {:#x}, which it has not announced \
         (or has removed); announce the parent first or start at the root",
        worker.id, worker.rank, parent.0
    )]
    ParentBlockNotFound {
        /// Who stores.
        worker: WorkerKey,
        /// The unknown parent.
        parent: EngineHash,
    },
    /// A removal names a block that this worker does not hold.
    #[error(
        "worker {}:{} removes block {:#x}, which it has not announced (or has removed already)",
        worker.id, worker.rank, block.0
    )]
    BlockNotFound {
        /// Who removes.
        worker: WorkerKey,
        /// The first such block; the others of the event were removed.
        block: EngineHash,
    },
    /// A block of a store would be its own parent.
    #[error(
        "worker {}:{} stores block {:#x} (content {:#x}) after itself; \
         each block of a prefix needs a hash of its own",
        worker.id, worker.rank, block.engine.0, block.local.0
    )]
    InvalidBlockSequence {
        /// Who stores.
        worker: WorkerKey,
        /// The first such block; those before it were stored.
        block: Block,
    },
    /// The index holds as many blocks as it can number.
    #[error("the index is full: it numbers at most {limit} different blocks")]
    Full {
        /// Distinct blocks that fit.
        limit: u32,
    },
}
