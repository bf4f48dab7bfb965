//! The index of engines that move blocks from the device to host memory, disk
//! or further instead of dropping them.

use std::collections::BTreeMap;

use super::block_hash::{EngineHash, LocalHash, WorkerKey};
use super::error::IndexError;
use super::events::BlockEvent;
use super::index::{HashIndex, Matching};
use super::lower_tier::LowerTier;
use super::query::{EarlyExit, Matches, PrefixIndex};

/// Where a worker holds a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// In the accelerator's memory, ready for use.
    #[default]
    Device,
    /// In the host's memory.
    Host,
    /// On the host's disk.
    Disk,
    /// Somewhere beyond the host.
    External,
}

/// Tiers below the device.
const LOWER: usize = 3;

/// Consecutive blocks of a prompt that one worker holds, from its start, each
/// tier's after those of the tier before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierDepths {
    /// Leading blocks on the device.
    pub device: u32,
    /// Blocks after these in host memory.
    pub host: u32,
    /// Blocks after these on disk.
    pub disk: u32,
    /// Blocks after these beyond the host.
    pub external: u32,
}

/// A [`HashIndex`] for the device, and what lies in the tiers below.
///
/// ```
/// use kv_router::{Block, BlockEvent, EngineHash, LocalHash, Tier, TieredIndex, WorkerKey};
///
/// let block = |n| Block { local: LocalHash(n), engine: EngineHash(100 + n) };
/// let stored = |parent: Option<u64>, blocks: &[u64]| BlockEvent::Stored {
///     parent: parent.map(EngineHash),
///     blocks: blocks.iter().copied().map(block).collect(),
/// };
/// let worker = WorkerKey::new(7, 0);
/// let mut index = TieredIndex::default();
/// index.apply(worker, Tier::Device, &stored(None, &[1, 2]))?;
/// index.apply(worker, Tier::Host, &stored(Some(102), &[3, 4]))?;
///
/// let prompt = [1, 2, 3, 4, 5].map(LocalHash);
/// let (found, depths) = index.query_tiers(&prompt).next().unwrap();
/// assert_eq!((found, depths.device, depths.host), (worker, 2, 2));
/// # Ok::<(), kv_router::IndexError>(())
/// ```
#[derive(Debug, Default)]
pub struct TieredIndex {
    device: HashIndex,
    lower: [LowerTier; LOWER],
}

impl TieredIndex {
    /// An empty index that matches on devices in that way.
    pub fn new(matching: Matching) -> Self {
        Self {
            device: HashIndex::new(matching),
            ..Self::default()
        }
    }

    /// Applies what a worker announces about one tier. Clearing a tier leaves
    /// the others as they are.
    ///
    /// # Errors
    /// Those of [`HashIndex::apply`]. Below the device parents are not checked,
    /// since they may lie in any tier.
    pub fn apply(
        &mut self,
        worker: WorkerKey,
        tier: Tier,
        event: &BlockEvent,
    ) -> Result<(), IndexError> {
        let lower = match tier {
            Tier::Device => return self.device.apply(worker, event),
            Tier::Host => 0,
            Tier::Disk => 1,
            Tier::External => 2,
        };
        self.lower[lower].apply(worker, event)
    }

    /// Forgets all ranks of a worker, in all tiers.
    pub fn remove_worker(&mut self, id: u64) {
        self.device.remove_worker(id);
        for tier in &mut self.lower {
            tier.remove_worker(id);
        }
    }

    /// Forgets one rank of a worker, in all tiers.
    pub fn remove_worker_rank(&mut self, worker: WorkerKey) {
        self.device.remove_worker_rank(worker);
        for tier in &mut self.lower {
            tier.remove_worker_rank(worker);
        }
    }

    /// What lies on devices.
    pub fn device(&self) -> &HashIndex {
        &self.device
    }

    /// Blocks held in all tiers, each counted for every worker and tier.
    pub fn size(&self) -> usize {
        let lower: usize = self.lower.iter().map(LowerTier::size).sum();
        self.device.size() + lower
    }

    /// Workers that hold the first block of a prompt in some tier, in order,
    /// and how much of the prompt they hold in each. A tier continues where the
    /// one before it ends; it is never searched for blocks before that.
    pub fn query_tiers(
        &self,
        prompt: &[LocalHash],
    ) -> impl ExactSizeIterator<Item = (WorkerKey, TierDepths)> + use<> {
        let mut found: BTreeMap<WorkerKey, (TierDepths, Option<EngineHash>)> = BTreeMap::new();
        self.device
            .walk(prompt, EarlyExit::Never, |slot, device, block| {
                let depths = TierDepths {
                    device,
                    ..TierDepths::default()
                };
                let last = self.device.name_of(slot, block);
                found.insert(self.device.key_of(slot), (depths, Some(last)));
            });
        for (at, tier) in self.lower.iter().enumerate() {
            if let Some(&first) = prompt.first() {
                for worker in tier.starts_with(first) {
                    found.entry(worker).or_default();
                }
            }
            for (&worker, (depths, last)) in &mut found {
                let held = depths.device + depths.host + depths.disk;
                let more = tier.extend(worker, last, &prompt[held as usize..]);
                *[&mut depths.host, &mut depths.disk, &mut depths.external][at] = more;
            }
        }
        found
            .into_iter()
            .map(|(worker, (depths, _))| (worker, depths))
    }
}

impl PrefixIndex for TieredIndex {
    /// Depths on the device only.
    fn query_into(&self, prompt: &[LocalHash], early_exit: EarlyExit, matches: &mut Matches) {
        self.device.query_into(prompt, early_exit, matches);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::block_hash::{Block, sequence_hashes};
    use super::*;

    const TIERS: [Tier; 4] = [Tier::Device, Tier::Host, Tier::Disk, Tier::External];

    fn stored(parent: Option<u64>, names: &[(u64, u64)]) -> BlockEvent {
        let block = |&(local, engine): &(u64, u64)| Block {
            local: LocalHash(local),
            engine: EngineHash(engine),
        };
        BlockEvent::Stored {
            parent: parent.map(EngineHash),
            blocks: names.iter().map(block).collect(),
        }
    }

    fn removed(name: u64) -> BlockEvent {
        BlockEvent::Removed {
            blocks: vec![EngineHash(name)],
        }
    }

    fn depths(index: &TieredIndex, prompt: &[u64]) -> Vec<(u64, [u32; 4])> {
        let prompt: Vec<LocalHash> = prompt.iter().copied().map(LocalHash).collect();
        let found = index.query_tiers(&prompt);
        found
            .map(|(worker, at)| (worker.id, [at.device, at.host, at.disk, at.external]))
            .collect()
    }

    #[test]
    fn a_tier_continues_by_the_name_that_its_worker_uses() {
        let mut index = TieredIndex::default();
        let (first, second) = (WorkerKey::new(1, 0), WorkerKey::new(2, 0));
        let mut apply = |worker, tier, event| index.apply(worker, tier, &event).unwrap();
        apply(first, Tier::Device, stored(None, &[(1, 11), (2, 12)]));
        // The second worker has two names for the shared block.
        apply(second, Tier::Device, stored(None, &[(1, 21)]));
        apply(second, Tier::Device, stored(None, &[(1, 25)]));
        apply(second, Tier::Device, removed(21));
        apply(second, Tier::Device, stored(None, &[(1, 25)]));
        apply(second, Tier::Host, stored(Some(25), &[(2, 22)]));
        apply(second, Tier::External, stored(Some(22), &[(3, 23)]));
        apply(first, Tier::Disk, stored(Some(22), &[(3, 13)]));
        let expected = [(1, [2, 0, 0, 0]), (2, [1, 1, 0, 1])];
        assert_eq!(depths(&index, &[1, 2, 3]), expected);
    }

    #[test]
    fn clearing_a_tier_leaves_the_others_and_a_gone_worker_nothing() {
        let mut index = TieredIndex::default();
        let worker = WorkerKey::new(1, 1);
        for tier in TIERS {
            let event = stored(None, &[(1, 11), (2, 12)]);
            index.apply(worker, tier, &event).unwrap();
        }
        index
            .apply(worker, Tier::Host, &BlockEvent::Cleared)
            .unwrap();
        assert_eq!((index.size(), index.device().size()), (6, 2));
        index
            .apply(worker, Tier::Device, &BlockEvent::Cleared)
            .unwrap();
        assert_eq!(depths(&index, &[1, 2]), [(1, [0, 0, 2, 0])]);
        let unknown = index.apply(worker, Tier::Disk, &removed(77));
        let block = EngineHash(77);
        assert_eq!(unknown, Err(IndexError::BlockNotFound { worker, block }));
        index.remove_worker_rank(WorkerKey::new(1, 0));
        assert_eq!(index.size(), 4);
        index.remove_worker_rank(worker);
        assert_eq!((index.size(), depths(&index, &[1, 2])), (0, vec![]));
        index
            .apply(worker, Tier::Disk, &stored(None, &[(1, 11)]))
            .unwrap();
        index.remove_worker(1);
        assert_eq!((index.size(), depths(&index, &[])), (0, vec![]));
    }

    #[test]
    fn a_name_stands_for_one_place_and_a_place_has_one_name() {
        let mut index = TieredIndex::default();
        let worker = WorkerKey::new(1, 0);
        for blocks in [[(1, 11), (2, 12)], [(1, 11), (3, 12)], [(1, 11), (3, 14)]] {
            index
                .apply(worker, Tier::Host, &stored(None, &blocks))
                .unwrap();
        }
        assert_eq!(index.size(), 2);
        assert_eq!(depths(&index, &[1, 2]), [(1, [0, 1, 0, 0])]);
        assert_eq!(depths(&index, &[1, 3]), [(1, [0, 2, 0, 0])]);
    }

    proptest! {
        #[test]
        fn each_tier_adds_the_blocks_that_follow_there(
            steps in prop::collection::vec(
                (0..3_u64, 0..4_usize, prop::collection::vec(0..2_u64, 1..6), 0..5_usize, any::<bool>()),
                1..40,
            ),
        ) {
            let mut index = TieredIndex::default();
            let mut held: [BTreeSet<(u64, Vec<LocalHash>)>; 4] = Default::default();
            for (id, tier, prompt, from, store) in steps {
                let prompt: Vec<LocalHash> = prompt.into_iter().map(LocalHash).collect();
                let names = sequence_hashes(&prompt);
                // On the device whole prompts come and go; below it, any part.
                let from = if tier == 0 { 0 } else { from.min(prompt.len() - 1) };
                let prefixes = (from..prompt.len()).map(|last| (id, prompt[..=last].to_vec()));
                let event = if store {
                    held[tier].extend(prefixes);
                    let blocks = prompt.iter().zip(&names).skip(from);
                    BlockEvent::Stored {
                        parent: from.checked_sub(1).map(|parent| names[parent]),
                        blocks: blocks.map(|(&local, &engine)| Block { local, engine }).collect(),
                    }
                } else if tier == 0 {
                    held[0].retain(|(holder, _)| *holder != id);
                    BlockEvent::Cleared
                } else {
                    for prefix in prefixes {
                        held[tier].remove(&prefix);
                    }
                    BlockEvent::Removed { blocks: names[from..].to_vec() }
                };
                // Not all that is removed was there.
                let _ = index.apply(WorkerKey::new(id, 0), TIERS[tier], &event);
                for prompt in (0..32_u64).map(|n| [n >> 4, n >> 3 & 1, n >> 2 & 1, n >> 1 & 1, n & 1]) {
                    let local = prompt.map(LocalHash);
                    let mut expected = Vec::new();
                    for id in 0..3 {
                        let mut end = 0;
                        let depths = [0, 1, 2, 3].map(|tier: usize| {
                            let start = end;
                            while end < 5 && held[tier].contains(&(id, local[..=end].to_vec())) {
                                end += 1;
                            }
                            (end - start) as u32
                        });
                        if end > 0 {
                            expected.push((id, depths));
                        }
                    }
                    prop_assert_eq!(depths(&index, &prompt), expected);
                }
            }
        }
    }
}
