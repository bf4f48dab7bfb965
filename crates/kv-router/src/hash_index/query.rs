//! What an index is asked and what it answers.

use super::block_hash::{LocalHash, WorkerKey};

/// How far a query looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyExit {
    /// As far as anybody's blocks reach: all depths are true.
    #[default]
    Never,
    /// Until one worker is left: its depth is then one more than the second
    /// best (or one), however much it really holds. Enough to choose it.
    OneWorkerLeft,
}

/// Leading blocks of a prompt that each worker holds, by worker, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    depths: Vec<(WorkerKey, u32)>,
}

impl Matches {
    /// Leading blocks that a worker holds without a gap.
    pub fn depth(&self, worker: WorkerKey) -> u32 {
        let found = self
            .depths
            .binary_search_by_key(&worker, |&(worker, _)| worker);
        found.map_or(0, |at| self.depths[at].1)
    }

    /// Workers that hold at least the first block, in order, with their depths.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (WorkerKey, u32)> + '_ {
        self.depths.iter().copied()
    }

    /// The greatest depth, 0 if nobody holds the first block.
    pub fn deepest(&self) -> u32 {
        self.depths
            .iter()
            .map(|&(_, depth)| depth)
            .max()
            .unwrap_or(0)
    }

    /// Whether nobody holds the first block.
    pub fn is_empty(&self) -> bool {
        self.depths.is_empty()
    }

    /// Raises depths to those of another answer, and adds its other workers. To
    /// join what engines announced with what was routed lately: a burst of like
    /// requests then finds its first one's worker before any event has come.
    ///
    /// ```
    /// use kv_router::{ApproximateIndex, Block, EngineHash, HashIndex};
    /// use kv_router::{LocalHash, PrefixIndex, WorkerKey};
    /// use sim_core::{SimDuration, SimTime};
    ///
    /// let prompt = [LocalHash(1), LocalHash(2)];
    /// let mut announced = HashIndex::default();
    /// let block = Block { local: prompt[0], engine: EngineHash(90) };
    /// announced.store(WorkerKey::new(0, 0), None, &[block])?;
    /// let mut routed = ApproximateIndex::new(SimDuration::from_ns(2_000_000_000));
    /// routed.route(SimTime::ZERO, WorkerKey::new(5, 0), &prompt)?;
    ///
    /// let mut matches = announced.query(&prompt);
    /// matches.raise_to(&routed.query(&prompt));
    /// let depths = [(WorkerKey::new(0, 0), 1), (WorkerKey::new(5, 0), 2)];
    /// assert!(matches.iter().eq(depths));
    /// # Ok::<(), kv_router::IndexError>(())
    /// ```
    pub fn raise_to(&mut self, other: &Self) {
        let own = self.depths.len();
        for &(worker, depth) in &other.depths {
            let known = self.depths[..own].binary_search_by_key(&worker, |&(worker, _)| worker);
            match known {
                Ok(at) => self.depths[at].1 = self.depths[at].1.max(depth),
                Err(_) => self.depths.push((worker, depth)),
            }
        }
        self.sort();
    }

    pub(super) fn clear(&mut self) {
        self.depths.clear();
    }

    /// Adds a worker that is not in it; [`Self::sort`] must follow.
    pub(super) fn push(&mut self, worker: WorkerKey, depth: u32) {
        self.depths.push((worker, depth));
    }

    pub(super) fn sort(&mut self) {
        self.depths.sort_unstable();
    }

    /// Turns true depths into those of a query that stops when one worker is left.
    pub(super) fn stop_at_one_worker(&mut self) {
        let deepest = self.deepest();
        let mut at_deepest = 0;
        let mut second = 0;
        for &(_, depth) in &self.depths {
            if depth == deepest {
                at_deepest += 1;
            } else {
                second = second.max(depth);
            }
        }
        if at_deepest == 1 {
            for (_, depth) in &mut self.depths {
                *depth = (*depth).min(second + 1);
            }
        }
    }
}

/// Something that knows which worker holds how much of a prompt.
pub trait PrefixIndex {
    /// Answers for the prompt whose blocks have these content hashes, into a
    /// buffer that is emptied first.
    fn query_into(&self, prompt: &[LocalHash], early_exit: EarlyExit, matches: &mut Matches);

    /// True depths for the prompt whose blocks have these content hashes.
    fn query(&self, prompt: &[LocalHash]) -> Matches {
        let mut matches = Matches::default();
        self.query_into(prompt, EarlyExit::Never, &mut matches);
        matches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(depths: &[u32]) -> Vec<u32> {
        let mut matches = Matches::default();
        for (id, &depth) in depths.iter().enumerate() {
            matches.push(WorkerKey::new(id as u64, 0), depth);
        }
        matches.stop_at_one_worker();
        matches.iter().map(|(_, depth)| depth).collect()
    }

    #[test]
    fn the_greater_depth_of_two_answers_counts() {
        let answer = |depths: &[(u64, u32)]| {
            let mut matches = Matches::default();
            for &(id, depth) in depths {
                matches.push(WorkerKey::new(id, 0), depth);
            }
            matches
        };
        let mut matches = answer(&[(1, 5), (3, 2), (6, 1)]);
        matches.raise_to(&answer(&[(0, 1), (1, 4), (3, 9), (7, 7)]));
        assert_eq!(matches, answer(&[(0, 1), (1, 5), (3, 9), (6, 1), (7, 7)]));
    }

    #[test]
    fn only_a_single_leader_is_cut_short() {
        assert!(stopped(&[]).is_empty());
        assert_eq!(stopped(&[9]), [1]);
        assert_eq!(stopped(&[9, 4, 2]), [5, 4, 2]);
        assert_eq!(stopped(&[9, 9, 2]), [9, 9, 2]);
    }
}
