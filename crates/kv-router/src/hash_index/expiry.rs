//! The index of a gateway that hears nothing from its engines: it assumes that
//! a worker keeps what was routed to it for a while.
//!
//! Has no clock: the caller says what time it is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_core::{SimDuration, SimTime};

use super::block_hash::{Block, EngineHash, LocalHash, WorkerKey, sequence_hashes};
use super::error::IndexError;
use super::index::HashIndex;
use super::query::{EarlyExit, Matches, PrefixIndex};

/// Until when the blocks of one worker are believed in. There is one timer a
/// block; a timer that goes off for a block that was used again is set again.
#[derive(Debug, Default)]
struct Leases {
    until: HashMap<EngineHash, SimTime, FxBuildHasher>,
    timers: BinaryHeap<Reverse<(SimTime, EngineHash)>>,
}

impl Leases {
    fn renew(&mut self, block: EngineHash, until: SimTime) {
        let lease = self.until.entry(block).or_insert_with(|| {
            self.timers.push(Reverse((until, block)));
            until
        });
        *lease = until.max(*lease);
    }

    /// Ends leases that run until `now` or less.
    fn end(&mut self, now: SimTime) -> Vec<EngineHash> {
        let mut ended = Vec::new();
        while let Some(&Reverse((at, block))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            match self.until.get(&block) {
                Some(&until) if until > now => self.timers.push(Reverse((until, block))),
                _ => {
                    self.until.remove(&block);
                    ended.push(block);
                }
            }
        }
        ended
    }
}

/// A [`HashIndex`] fed by routing decisions instead of events: the blocks of a
/// routed prompt count as held by its worker until a fixed time after the last
/// prompt that began with them.
///
/// The time is the caller's: any that does not run backwards, from any origin.
///
/// ```
/// use kv_router::{ApproximateIndex, LocalHash, PrefixIndex, WorkerKey};
/// use sim_core::{SimDuration, SimTime};
///
/// let second = |n: u64| SimTime::from_ns(n * 1_000_000_000);
/// let mut index = ApproximateIndex::new(ApproximateIndex::DEFAULT_TTL);
/// let (worker, prompt) = (WorkerKey::new(1, 0), [LocalHash(11), LocalHash(12)]);
/// index.route(second(0), worker, &prompt)?;
/// index.route(second(60), worker, &prompt[..1])?;
///
/// index.expire(second(120));
/// assert_eq!(index.query(&prompt).depth(worker), 1, "the first block was used again");
/// index.expire(second(180));
/// assert!(index.query(&prompt).is_empty());
/// # Ok::<(), kv_router::IndexError>(())
/// ```
#[derive(Debug)]
pub struct ApproximateIndex {
    index: HashIndex,
    ttl: SimDuration,
    leases: BTreeMap<WorkerKey, Leases>,
}

impl ApproximateIndex {
    /// The reference's time to live: 120 s.
    pub const DEFAULT_TTL: SimDuration = SimDuration::from_ns(120_000_000_000);

    /// An empty index that believes in blocks for `ttl`.
    pub fn new(ttl: SimDuration) -> Self {
        Self {
            index: HashIndex::default(),
            ttl,
            leases: BTreeMap::new(),
        }
    }

    /// A prompt goes to a worker, which therefore will hold all of its full blocks.
    ///
    /// # Errors
    /// [`IndexError::Full`], with a part of the prompt stored.
    pub fn route(
        &mut self,
        now: SimTime,
        worker: WorkerKey,
        prompt: &[LocalHash],
    ) -> Result<(), IndexError> {
        let until = now.saturating_add(self.ttl);
        let names = sequence_hashes(prompt);
        let leases = self.leases.entry(worker).or_default();
        for &name in &names {
            leases.renew(name, until);
        }
        let blocks: Vec<Block> = prompt
            .iter()
            .zip(names)
            .map(|(&local, engine)| Block { local, engine })
            .collect();
        self.index.store(worker, None, &blocks)
    }

    /// Drops blocks whose time has come; with a block always all that follow it,
    /// whose time is no later. Queries between calls still see them.
    pub fn expire(&mut self, now: SimTime) {
        for (&worker, leases) in &mut self.leases {
            let ended = leases.end(now);
            if !ended.is_empty() {
                // A full index may not have taken a block that a lease was given for.
                let _ = self.index.remove(worker, &ended);
            }
        }
    }

    /// Forgets all ranks of a worker.
    pub fn remove_worker(&mut self, id: u64) {
        self.leases.retain(|worker, _| worker.id != id);
        self.index.remove_worker(id);
    }

    /// The blocks believed in now.
    pub fn index(&self) -> &HashIndex {
        &self.index
    }
}

impl PrefixIndex for ApproximateIndex {
    fn query_into(&self, prompt: &[LocalHash], early_exit: EarlyExit, matches: &mut Matches) {
        self.index.query_into(prompt, early_exit, matches);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ns: u64) -> SimTime {
        SimTime::from_ns(ns)
    }

    fn prompt(n: u64) -> Vec<LocalHash> {
        (0..n).map(|at| LocalHash(at / 3 * 7 + 1)).collect()
    }

    const WORKER: WorkerKey = WorkerKey::new(3, 1);

    #[test]
    fn renewals_hold_exactly_the_prefix_that_they_renew() {
        let mut index = ApproximateIndex::new(SimDuration::from_ns(100));
        for (now, blocks) in [(0, 20), (10, 15), (50, 5)] {
            index.route(at(now), WORKER, &prompt(blocks)).unwrap();
        }
        for (now, depth) in [(99, 20), (100, 15), (109, 15), (110, 5), (149, 5), (150, 0)] {
            index.expire(at(now));
            assert_eq!(index.query(&prompt(30)).depth(WORKER), depth, "at {now}");
            assert_eq!(index.index().size(), depth as usize);
        }
        assert_eq!(index.index().distinct_blocks(), 0);
    }

    #[test]
    fn a_worker_has_one_timer_a_block_however_often_it_is_used() {
        let mut index = ApproximateIndex::new(SimDuration::from_ns(100));
        for now in 0..1000 {
            index.route(at(now), WORKER, &prompt(4)).unwrap();
            index.expire(at(now));
        }
        assert_eq!(index.leases[&WORKER].timers.len(), 4);
        index.remove_worker(3);
        index.expire(at(5000));
        assert_eq!((index.index().size(), index.leases.len()), (0, 0));
    }

    #[test]
    fn time_that_runs_backwards_or_out_ends_no_lease_early() {
        let mut index = ApproximateIndex::new(SimDuration::from_ns(100));
        index.route(at(500), WORKER, &prompt(2)).unwrap();
        index.route(at(3), WORKER, &prompt(2)).unwrap();
        index.expire(at(599));
        assert_eq!(index.query(&prompt(2)).depth(WORKER), 2);
        index.route(SimTime::MAX, WORKER, &prompt(1)).unwrap();
        index.expire(at(600));
        assert_eq!(index.query(&prompt(2)).depth(WORKER), 1);
    }

    proptest! {
        #[test]
        fn a_prefix_is_believed_in_as_long_as_after_its_last_use(
            steps in prop::collection::vec(
                (0..40_u64, 0..3_u64, prop::collection::vec(0..2_u64, 1..5)),
                1..60,
            ),
        ) {
            let mut index = ApproximateIndex::new(SimDuration::from_ns(100));
            let mut last_use = BTreeMap::new();
            let mut now = 0;
            for (later, id, prompt) in steps {
                now += later;
                let worker = WorkerKey::new(id, 0);
                let prompt: Vec<LocalHash> = prompt.into_iter().map(LocalHash).collect();
                index.expire(at(now));
                index.route(at(now), worker, &prompt).unwrap();
                for blocks in 1..=prompt.len() {
                    last_use.insert((worker, prompt[..blocks].to_vec()), now);
                }
                last_use.retain(|_, &mut used| used + 100 > now);
                prop_assert_eq!(index.index().size(), last_use.len());
                for (worker, prefix) in last_use.keys() {
                    prop_assert_eq!(index.query(prefix).depth(*worker), prefix.len() as u32);
                }
            }
        }
    }
}
