//! The index itself: what events do to it.
//!
//! Queries are in `walk`, the tree in `tree`, names of blocks in `holdings`.

use super::arena::NodeId;
use super::block_hash::{Block, EngineHash, WorkerKey};
use super::error::IndexError;
use super::handles::Workers;
use super::tree::{Tree, WARM_UP};

/// How a query decides who still holds the next block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// By looking: a worker's depth is what it holds without a gap.
    #[default]
    Exact,
    /// As the reference: as many holders as matched so far are taken for the
    /// same ones. After an eviction from the middle of a prefix this can credit
    /// a worker with blocks that another holds.
    ReferenceShortcuts,
}

/// Which worker holds how much of which prefix, by the hashes of its blocks.
///
/// Fed by the engines' events, asked at every request. A block costs 30 to 36
/// bytes however many workers share it, as long as they agree on its name; each
/// worker with a name of its own for a shared block adds about 50.
///
/// Engines that evict the ends of prefixes first (all that keep a prefix tree
/// do) are answered exactly. When a block in the middle goes and nobody else
/// holds it, what follows is out of reach until it is announced again.
///
/// With [`Matching::ReferenceShortcuts`] answers are the reference's but for
/// two corners where it is left with wrong credits: a block stored after itself
/// is refused without leaving a loop, and a worker that has lost all its names
/// (after using one name for several blocks) holds nothing.
///
/// ```
/// use std::num::NonZeroUsize;
/// use kv_router::{Block, BlockHasher, HashIndex, PrefixIndex, WorkerKey, sequence_hashes};
///
/// let hasher = BlockHasher::new(NonZeroUsize::new(16).unwrap());
/// let prompt: Vec<u32> = (0..100).collect();
/// let local = hasher.local_hashes(&prompt);
///
/// // An engine has computed the first four blocks of the prompt ...
/// let blocks: Vec<Block> = local
///     .iter()
///     .zip(sequence_hashes(&local))
///     .map(|(&local, engine)| Block { local, engine })
///     .collect();
/// let worker = WorkerKey::new(7, 0);
/// let mut index = HashIndex::default();
/// index.store(worker, None, &blocks[..4])?;
///
/// // ... so that a request with the same prompt finds 4 of its 6 blocks there.
/// let matches = index.query(&local);
/// assert_eq!(matches.depth(worker), 4);
///
/// index.remove(worker, &[blocks[3].engine])?;
/// assert_eq!(index.query(&local).depth(worker), 3);
/// # Ok::<(), kv_router::IndexError>(())
/// ```
#[derive(Debug, Default)]
pub struct HashIndex {
    pub(super) tree: Tree,
    pub(super) workers: Workers,
    /// Names of blocks, over all workers.
    pub(super) resident: usize,
    pub(super) matching: Matching,
}

impl HashIndex {
    /// An empty index.
    pub fn new(matching: Matching) -> Self {
        Self {
            matching,
            ..Self::default()
        }
    }

    /// A worker now holds `blocks`, each after the one before, the first after
    /// `parent` or at the start of prompts. Idempotent.
    ///
    /// # Errors
    /// [`IndexError::ParentBlockNotFound`] with nothing stored;
    /// [`IndexError::InvalidBlockSequence`] and [`IndexError::Full`] with the
    /// blocks before the offending one stored. The worker is known after any.
    pub fn store(
        &mut self,
        worker: WorkerKey,
        parent: Option<EngineHash>,
        blocks: &[Block],
    ) -> Result<(), IndexError> {
        let slot = self.workers.register(worker);
        let mut at = match parent {
            None => NodeId::ROOT,
            Some(parent) => self
                .named(slot, parent.0)
                .ok_or(IndexError::ParentBlockNotFound { worker, parent })?,
        };
        let mut warm = 0;
        for (position, &block) in blocks.iter().enumerate() {
            let (local, engine) = (block.local.0, block.engine.0);
            let id = match self.tree.child(at, local) {
                Some(child) => child,
                None => {
                    if position >= warm {
                        let next = blocks[position..].iter().take(WARM_UP);
                        self.tree.warm_up(next.map(|block| block.engine.0));
                        warm = position + WARM_UP;
                    }
                    let id = self.named_or_new(slot, local, engine).ok_or_else(|| {
                        let limit = self.tree.nodes.capacity();
                        IndexError::Full { limit }
                    })?;
                    if id == at {
                        return Err(IndexError::InvalidBlockSequence { worker, block });
                    }
                    self.tree.link(at, local, id);
                    id
                }
            };
            self.hold(slot, engine, id);
            at = id;
        }
        Ok(())
    }

    /// A worker no longer holds some blocks. Blocks that follow them stay the
    /// worker's, but out of reach of queries until stored again.
    ///
    /// # Errors
    /// [`IndexError::BlockNotFound`] with the first unknown block; the others
    /// are removed all the same.
    pub fn remove(&mut self, worker: WorkerKey, blocks: &[EngineHash]) -> Result<(), IndexError> {
        let slot = self.workers.register(worker);
        let mut unknown = None;
        for blocks in blocks.chunks(WARM_UP) {
            self.tree.warm_up(blocks.iter().map(|block| block.0));
            for &block in blocks {
                if !self.drop_named(slot, block.0) {
                    unknown = unknown.or(Some(block));
                }
            }
        }
        self.tidy();
        match unknown {
            None => Ok(()),
            Some(block) => Err(IndexError::BlockNotFound { worker, block }),
        }
    }

    /// A worker has dropped its whole cache: all its ranks hold nothing, and
    /// stay known. Takes one pass over the index for each rank that held something.
    pub fn clear(&mut self, worker: WorkerKey) {
        self.workers.register(worker);
        let ranks: Vec<_> = self.workers.ranks(worker.id).collect();
        for (_, slot) in ranks {
            self.drop_all_if_any(slot);
        }
        self.tidy();
    }

    /// Forgets all ranks of a worker that has gone.
    pub fn remove_worker(&mut self, id: u64) {
        let ranks: Vec<_> = self.workers.ranks(id).collect();
        for (rank, slot) in ranks {
            self.drop_all_if_any(slot);
            self.workers.remove(rank);
        }
        self.tidy();
    }

    /// Forgets one rank of a worker.
    pub fn remove_worker_rank(&mut self, worker: WorkerKey) {
        if let Some(slot) = self.workers.slot(worker) {
            self.drop_all_if_any(slot);
            self.workers.remove(worker);
            self.tidy();
        }
    }

    fn drop_all_if_any(&mut self, slot: usize) {
        if self.workers[slot].handles > 0 {
            self.drop_all(slot);
        }
    }

    /// Gives up blocks that nobody holds.
    fn tidy(&mut self) {
        if self.resident == 0 && self.tree.nodes.blocks() > 0 {
            self.tree = Tree::default();
        } else {
            self.tree.sweep_if_due();
        }
    }

    /// Blocks held, each counted once for every worker that holds it.
    pub fn size(&self) -> usize {
        self.resident
    }

    /// Known ranks, in order, and how many blocks each holds.
    pub fn sizes(&self) -> impl Iterator<Item = (WorkerKey, usize)> + '_ {
        self.workers.sizes()
    }

    pub(super) fn key_of(&self, slot: usize) -> WorkerKey {
        self.workers[slot].key
    }

    /// Ids of the known workers, in order.
    pub fn workers(&self) -> impl Iterator<Item = u64> + '_ {
        let mut last = None;
        self.sizes()
            .map(|(key, _)| key.id)
            .filter(move |&id| last.replace(id) != Some(id))
    }

    /// Distinct blocks in memory: those held, and a share, at most about an
    /// eighth, of those no longer held.
    pub fn distinct_blocks(&self) -> usize {
        self.tree.nodes.blocks()
    }

    /// Heap bytes reserved, but for a few hundred per worker.
    pub fn heap_bytes(&self) -> usize {
        self.tree.heap_bytes() + self.workers.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::block_hash::LocalHash;
    use super::super::query::PrefixIndex;
    use super::*;

    #[test]
    fn a_full_index_keeps_what_it_has_and_takes_more_after_a_removal() {
        let block = |n| Block {
            local: LocalHash(n),
            engine: EngineHash(n),
        };
        let worker = WorkerKey::new(1, 0);
        let mut index = HashIndex::default();
        index.tree.nodes.limit_to(3);
        let blocks: Vec<Block> = (0..5).map(block).collect();
        let full = Err(IndexError::Full { limit: 3 });
        assert_eq!(index.store(worker, None, &blocks), full);
        assert_eq!(
            index.store(WorkerKey::new(2, 0), None, &blocks[..3]),
            Ok(())
        );
        let prompt: Vec<LocalHash> = blocks.iter().map(|block| block.local).collect();
        assert_eq!(index.query(&prompt).depth(worker), 3);
        index.remove_worker(2);
        index
            .remove(worker, &[EngineHash(2), EngineHash(1)])
            .unwrap();
        let other = [block(7)];
        assert_eq!(index.store(worker, Some(EngineHash(0)), &other), Ok(()));
    }
}
