//! The index for many threads: workers are dealt out to shards, each a
//! [`HashIndex`] of its own behind a lock.
//!
//! A shard's lock is held for one event or one query, never two at a time, so
//! nothing can wait in a circle. Starts no threads.

use std::num::NonZeroUsize;
use std::sync::{PoisonError, RwLock};

use super::block_hash::{Block, EngineHash, LocalHash, WorkerKey};
use super::error::IndexError;
use super::events::BlockEvent;
use super::index::HashIndex;
use super::query::{EarlyExit, Matches, PrefixIndex};

/// A lock around an index, with many readers or one writer. `std`'s is the
/// default; another can be put in its place.
pub trait IndexLock {
    /// Locks an index up.
    fn enclose(index: HashIndex) -> Self;

    /// Looks at the index while nobody writes.
    fn read<R>(&self, look: impl FnOnce(&HashIndex) -> R) -> R;

    /// Changes the index while nobody else reads or writes.
    fn write<R>(&self, change: impl FnOnce(&mut HashIndex) -> R) -> R;
}

impl IndexLock for RwLock<HashIndex> {
    fn enclose(index: HashIndex) -> Self {
        Self::new(index)
    }

    fn read<R>(&self, look: impl FnOnce(&HashIndex) -> R) -> R {
        look(&self.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut HashIndex) -> R) -> R {
        change(&mut self.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// [`HashIndex`] with [exact](crate::Matching::Exact) matching for
/// concurrent use.
///
/// All ranks of a worker live in one shard. Writers of different shards do not
/// wait for each other; a query visits all shards, one after the other, so it
/// sees every worker as it was at some moment during the query. Events of one
/// worker take effect in the order in which they are given here, so one worker's
/// events should come from one thread, best the one for its
/// [shard](Self::shard_of).
///
/// Answers are those of the plain index for engines that evict the ends of
/// prefixes first. After an eviction from the middle, blocks that follow are
/// out of reach here as soon as no worker *of the shard* holds the block before
/// them; the plain index still reaches them while any worker does.
///
/// ```
/// use std::num::NonZeroUsize;
/// use kv_router::{Block, ConcurrentIndex, EngineHash, LocalHash, PrefixIndex, WorkerKey};
///
/// let index = ConcurrentIndex::new(NonZeroUsize::new(4).unwrap());
/// std::thread::scope(|scope| {
///     for id in 0..8 {
///         let index = &index;
///         scope.spawn(move || {
///             let block = Block { local: LocalHash(1), engine: EngineHash(100) };
///             index.store(WorkerKey::new(id, 0), None, &[block])
///         });
///     }
/// });
/// assert_eq!(index.query(&[LocalHash(1)]).iter().len(), 8);
/// ```
#[derive(Debug)]
pub struct ConcurrentIndex<L = RwLock<HashIndex>> {
    shards: Box<[L]>,
}

impl ConcurrentIndex {
    /// An empty index of `shards` shards: as many as threads that write, or
    /// fewer, since each adds one walk to every query.
    pub fn new(shards: NonZeroUsize) -> Self {
        Self::with_lock(shards)
    }
}

impl<L: IndexLock> ConcurrentIndex<L> {
    /// As [`ConcurrentIndex::new`], with another kind of lock.
    pub fn with_lock(shards: NonZeroUsize) -> Self {
        let shards = (0..shards.get()).map(|_| L::enclose(HashIndex::default()));
        Self {
            shards: shards.collect(),
        }
    }

    /// Which shard, from 0, a worker lives in. Threads that each write to
    /// shards of their own never wait for each other.
    pub fn shard_of(&self, id: u64) -> usize {
        // Multiples of the golden ratio spread consecutive ids evenly, others well.
        let spread = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((u128::from(spread) * self.shards.len() as u128) >> u64::BITS) as usize
    }

    fn shard(&self, id: u64) -> &L {
        &self.shards[self.shard_of(id)]
    }

    /// See [`HashIndex::store`].
    ///
    /// # Errors
    /// Those of [`HashIndex::store`].
    pub fn store(
        &self,
        worker: WorkerKey,
        parent: Option<EngineHash>,
        blocks: &[Block],
    ) -> Result<(), IndexError> {
        self.shard(worker.id)
            .write(|index| index.store(worker, parent, blocks))
    }

    /// See [`HashIndex::remove`].
    ///
    /// # Errors
    /// Those of [`HashIndex::remove`].
    pub fn remove(&self, worker: WorkerKey, blocks: &[EngineHash]) -> Result<(), IndexError> {
        self.shard(worker.id)
            .write(|index| index.remove(worker, blocks))
    }

    /// See [`HashIndex::clear`]; queries wait for its pass over the shard.
    pub fn clear(&self, worker: WorkerKey) {
        self.shard(worker.id).write(|index| index.clear(worker));
    }

    /// See [`HashIndex::apply`].
    ///
    /// # Errors
    /// Those of [`HashIndex::apply`].
    pub fn apply(&self, worker: WorkerKey, event: &BlockEvent) -> Result<(), IndexError> {
        self.shard(worker.id)
            .write(|index| index.apply(worker, event))
    }

    /// See [`HashIndex::remove_worker`].
    pub fn remove_worker(&self, id: u64) {
        self.shard(id).write(|index| index.remove_worker(id));
    }

    /// See [`HashIndex::remove_worker_rank`].
    pub fn remove_worker_rank(&self, worker: WorkerKey) {
        self.shard(worker.id)
            .write(|index| index.remove_worker_rank(worker));
    }

    /// See [`HashIndex::size`].
    pub fn size(&self) -> usize {
        self.sum(HashIndex::size)
    }

    /// See [`HashIndex::distinct_blocks`]; blocks in several shards count in each.
    pub fn distinct_blocks(&self) -> usize {
        self.sum(HashIndex::distinct_blocks)
    }

    /// See [`HashIndex::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        self.sum(HashIndex::heap_bytes)
    }

    fn sum(&self, quantity: impl Fn(&HashIndex) -> usize) -> usize {
        self.shards.iter().map(|shard| shard.read(&quantity)).sum()
    }

    /// See [`HashIndex::sizes`].
    pub fn sizes(&self) -> Vec<(WorkerKey, usize)> {
        let mut sizes = Vec::new();
        for shard in &self.shards {
            shard.read(|index| sizes.extend(index.sizes()));
        }
        sizes.sort_unstable();
        sizes
    }
}

impl<L: IndexLock> PrefixIndex for ConcurrentIndex<L> {
    fn query_into(&self, prompt: &[LocalHash], early_exit: EarlyExit, matches: &mut Matches) {
        matches.clear();
        for shard in &self.shards {
            // One shard cannot tell how many workers are left in all.
            shard.read(|index| index.append_matches(prompt, EarlyExit::Never, matches));
        }
        matches.sort();
        if early_exit == EarlyExit::OneWorkerLeft {
            matches.stop_at_one_worker();
        }
    }
}
