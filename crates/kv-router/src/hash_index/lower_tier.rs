//! What workers hold below the device: in host memory, on disk, or elsewhere.
//!
//! A block that was moved down may follow one that was not, so a tier holds no
//! tree of its own but steps: after a block of that name, this content leads to
//! the block of this name. Unlike on the device nothing is shared by workers.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::block_hash::{Block, EngineHash, LocalHash, WorkerKey};
use super::error::IndexError;
use super::events::BlockEvent;

/// A step: after which block (`None`: at the start), with what content.
type Step = (Option<EngineHash>, LocalHash);

/// What one worker holds in one tier.
#[derive(Debug, Default)]
struct Steps {
    to: HashMap<Step, EngineHash, FxBuildHasher>,
    /// The same the other way round.
    of: HashMap<EngineHash, Step, FxBuildHasher>,
}

impl Steps {
    fn store(&mut self, mut after: Option<EngineHash>, blocks: &[Block]) {
        for block in blocks {
            let step = (after, block.local);
            if let Some(before) = self.of.insert(block.engine, step)
                && before != step
            {
                self.to.remove(&before);
            }
            if let Some(replaced) = self.to.insert(step, block.engine)
                && replaced != block.engine
            {
                self.of.remove(&replaced);
            }
            after = Some(block.engine);
        }
    }

    fn remove(&mut self, block: EngineHash) -> bool {
        let Some(step) = self.of.remove(&block) else {
            return false;
        };
        self.to.remove(&step);
        true
    }
}

/// Which worker holds which blocks in one tier below the device.
#[derive(Debug, Default)]
pub(super) struct LowerTier {
    workers: BTreeMap<WorkerKey, Steps>,
}

impl LowerTier {
    /// Applies one event. A parent may be in any tier and is not checked.
    ///
    /// # Errors
    /// [`IndexError::BlockNotFound`] with the first unknown block of a removal;
    /// the others are removed all the same.
    pub(super) fn apply(
        &mut self,
        worker: WorkerKey,
        event: &BlockEvent,
    ) -> Result<(), IndexError> {
        match event {
            BlockEvent::Stored { parent, blocks } => {
                let steps = self.workers.entry(worker).or_default();
                steps.store(*parent, blocks);
            }
            BlockEvent::Removed { blocks } => {
                let steps = self.workers.entry(worker).or_default();
                let mut unknown = None;
                for &block in blocks {
                    if !steps.remove(block) {
                        unknown = unknown.or(Some(block));
                    }
                }
                if let Some(block) = unknown {
                    return Err(IndexError::BlockNotFound { worker, block });
                }
            }
            BlockEvent::Cleared => self.remove_worker(worker.id),
        }
        Ok(())
    }

    /// Forgets all ranks of a worker.
    pub(super) fn remove_worker(&mut self, id: u64) {
        self.workers.retain(|worker, _| worker.id != id);
    }

    /// Forgets one rank of a worker.
    pub(super) fn remove_worker_rank(&mut self, worker: WorkerKey) {
        self.workers.remove(&worker);
    }

    /// Workers with blocks at the start of prompts with this content.
    pub(super) fn starts_with(&self, local: LocalHash) -> impl Iterator<Item = WorkerKey> + '_ {
        let starts = move |steps: &Steps| steps.to.contains_key(&(None, local));
        let workers = self.workers.iter();
        workers
            .filter(move |&(_, steps)| starts(steps))
            .map(|(&worker, _)| worker)
    }

    /// How many leading blocks of `rest` a worker holds here after the block of
    /// that name; `last` becomes the name of the last of them.
    pub(super) fn extend(
        &self,
        worker: WorkerKey,
        last: &mut Option<EngineHash>,
        rest: &[LocalHash],
    ) -> u32 {
        let Some(steps) = self.workers.get(&worker) else {
            return 0;
        };
        let mut blocks = 0;
        for &local in rest {
            let Some(&next) = steps.to.get(&(*last, local)) else {
                break;
            };
            *last = Some(next);
            blocks += 1;
        }
        blocks
    }

    /// Blocks held, over all workers.
    pub(super) fn size(&self) -> usize {
        self.workers.values().map(|steps| steps.of.len()).sum()
    }
}
