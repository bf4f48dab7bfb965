//! The engines' events as values, for gateways that queue or log them.

use super::block_hash::{Block, EngineHash, WorkerKey};
use super::error::IndexError;
use super::index::HashIndex;

/// What one rank of one worker announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockEvent {
    /// See [`HashIndex::store`].
    Stored {
        /// What the first block follows; `None` at the start of prompts.
        parent: Option<EngineHash>,
        /// Blocks, each after the one before.
        blocks: Vec<Block>,
    },
    /// See [`HashIndex::remove`].
    Removed {
        /// Blocks, in any order.
        blocks: Vec<EngineHash>,
    },
    /// See [`HashIndex::clear`].
    Cleared,
}

impl HashIndex {
    /// Applies one event.
    ///
    /// # Errors
    /// Those of the operation that the event stands for.
    pub fn apply(&mut self, worker: WorkerKey, event: &BlockEvent) -> Result<(), IndexError> {
        match event {
            BlockEvent::Stored { parent, blocks } => self.store(worker, *parent, blocks),
            BlockEvent::Removed { blocks } => self.remove(worker, blocks),
            BlockEvent::Cleared => {
                self.clear(worker);
                Ok(())
            }
        }
    }
}
