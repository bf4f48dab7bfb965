//! Which decoding requests begin a new KV block in which pass.
//!
//! A request that gets one token a pass crosses a block boundary every
//! `block_tokens` passes, so requests lie in buckets by pass number modulo the
//! block size and stay there: a crossing touches nobody.

use std::collections::BTreeMap;

use super::inactive::NONE;

/// Block sizes up to here have an array of buckets, larger ones a tree.
const ARRAY_PERIODS: u32 = 4096;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: u32,
    requests: u32,
}

const EMPTY: Bucket = Bucket {
    first: NONE,
    requests: 0,
};

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
    bucket: u32,
}

#[derive(Debug)]
enum Buckets {
    /// One a residue, with a bit for each that is not empty.
    Array {
        buckets: Vec<Bucket>,
        occupied: Vec<u64>,
    },
    Tree(BTreeMap<u32, Bucket>),
}

/// The calendar of block crossings.
#[derive(Debug)]
pub(super) struct Crossings {
    period: u32,
    /// Number of the coming pass, modulo the period.
    phase: u32,
    requests: u32,
    buckets: Buckets,
    links: Vec<Link>,
}

impl Crossings {
    pub(super) fn new(block_tokens: u32) -> Self {
        let buckets = if block_tokens <= ARRAY_PERIODS {
            Buckets::Array {
                buckets: vec![EMPTY; block_tokens as usize],
                occupied: vec![0; block_tokens.div_ceil(64) as usize],
            }
        } else {
            Buckets::Tree(BTreeMap::new())
        };
        Self {
            period: block_tokens,
            phase: 0,
            requests: 0,
            buckets,
            links: Vec::new(),
        }
    }

    /// Adds the request in `slot`, which has `tokens` tokens before the coming pass.
    pub(super) fn join(&mut self, slot: u32, tokens: u32) {
        let behind = tokens % self.period;
        // It crosses in the pass before which its length is a multiple of the period.
        let bucket = self.wrapped(self.phase, (self.period - behind) % self.period);
        let index = slot as usize;
        if self.links.len() <= index {
            let unused = Link {
                previous: NONE,
                next: NONE,
                bucket: 0,
            };
            self.links.resize(index + 1, unused);
        }
        let next = self.bucket(bucket).first;
        self.links[index] = Link {
            previous: NONE,
            next,
            bucket,
        };
        if next != NONE {
            self.links[next as usize].previous = slot;
        }
        self.requests += 1;
        let requests = self.bucket(bucket).requests + 1;
        self.set(
            bucket,
            Bucket {
                first: slot,
                requests,
            },
        );
    }

    /// Takes out the request in `slot`.
    pub(super) fn leave(&mut self, slot: u32) {
        let Link {
            previous,
            next,
            bucket,
        } = self.links[slot as usize];
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        let mut left = self.bucket(bucket);
        left.requests -= 1;
        if previous == NONE {
            left.first = next;
        } else {
            self.links[previous as usize].next = next;
        }
        self.requests -= 1;
        self.set(bucket, left);
    }

    /// Passes before the one in which the next request crosses (0: the coming
    /// pass); `None` without requests.
    pub(super) fn until_next(&self) -> Option<u32> {
        self.until_next_after(0)
    }

    /// As [`Self::until_next`], from `passes` passes on.
    pub(super) fn until_next_after(&self, passes: u32) -> Option<u32> {
        if self.requests == 0 {
            return None;
        }
        let from = self.wrapped(self.phase, passes % self.period);
        let bucket = self.occupied_from(from).or_else(|| self.occupied_from(0))?;
        let ahead = if bucket >= from {
            bucket - from
        } else {
            self.period - (from - bucket)
        };
        Some(passes + ahead)
    }

    /// Requests that cross in the pass after `passes` more.
    pub(super) fn count_after(&self, passes: u32) -> u32 {
        self.bucket(self.wrapped(self.phase, passes % self.period))
            .requests
    }

    /// Crossings in the coming `passes` passes, all requests together.
    pub(super) fn count_within(&self, passes: u32) -> u64 {
        let rounds = u64::from(passes / self.period) * u64::from(self.requests);
        let rest = passes % self.period;
        let end = self.phase + rest;
        let once = if end <= self.period {
            self.count_between(self.phase, end)
        } else {
            self.count_between(self.phase, self.period) + self.count_between(0, end - self.period)
        };
        rounds + once
    }

    /// The most tokens a request, up to `most`, within which not more than
    /// `blocks` blocks are begun.
    pub(super) fn tokens_within(&self, blocks: u32, most: u32) -> u32 {
        if self.count_within(most) <= u64::from(blocks) {
            return most;
        }
        let (mut begun, mut tokens) = (0, 0);
        while let Some(next) = self.until_next_after(tokens).filter(|&next| next < most) {
            begun += self.count_after(next);
            if begun > blocks {
                return next;
            }
            tokens = next + 1;
        }
        most
    }

    /// The requests that cross in the coming pass, in no particular order.
    pub(super) fn crossing_now(&self) -> impl Iterator<Item = u32> + '_ {
        let mut slot = self.bucket(self.phase).first;
        std::iter::from_fn(move || {
            let current = slot;
            slot = self.links.get(current as usize)?.next;
            Some(current)
        })
    }

    /// `passes` passes are done.
    pub(super) fn advance(&mut self, passes: u32) {
        self.phase = self.wrapped(self.phase, passes % self.period);
    }

    /// `at + by` modulo the period, for values below the period.
    fn wrapped(&self, at: u32, by: u32) -> u32 {
        let room = self.period - at;
        if by < room { at + by } else { by - room }
    }

    fn bucket(&self, index: u32) -> Bucket {
        match &self.buckets {
            Buckets::Array { buckets, .. } => buckets[index as usize],
            Buckets::Tree(tree) => tree.get(&index).copied().unwrap_or(EMPTY),
        }
    }

    fn set(&mut self, index: u32, bucket: Bucket) {
        match &mut self.buckets {
            Buckets::Array { buckets, occupied } => {
                buckets[index as usize] = bucket;
                let bit = 1 << (index % 64);
                let word = &mut occupied[index as usize / 64];
                if bucket.requests > 0 {
                    *word |= bit;
                } else {
                    *word &= !bit;
                }
            }
            Buckets::Tree(tree) => {
                if bucket.requests > 0 {
                    tree.insert(index, bucket);
                } else {
                    tree.remove(&index);
                }
            }
        }
    }

    /// The first bucket at `from` or later that is not empty.
    fn occupied_from(&self, from: u32) -> Option<u32> {
        match &self.buckets {
            Buckets::Array { occupied, .. } => {
                let mut index = from as usize / 64;
                let mut word = *occupied.get(index)? & (u64::MAX << (from % 64));
                while word == 0 {
                    index += 1;
                    word = *occupied.get(index)?;
                }
                Some(index as u32 * 64 + word.trailing_zeros())
            }
            Buckets::Tree(tree) => tree.range(from..).next().map(|(&index, _)| index),
        }
    }

    /// Requests in the buckets `from..to`.
    fn count_between(&self, from: u32, to: u32) -> u64 {
        match &self.buckets {
            Buckets::Array { .. } => {
                let mut count = 0;
                let mut at = from;
                while at < to
                    && let Some(index) = self.occupied_from(at).filter(|&index| index < to)
                {
                    count += u64::from(self.bucket(index).requests);
                    at = index + 1;
                }
                count
            }
            Buckets::Tree(tree) => tree
                .range(from..to)
                .map(|(_, bucket)| u64::from(bucket.requests))
                .sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a list of lengths says.
    struct Naive {
        period: u64,
        lengths: Vec<(u32, u64)>,
    }

    impl Naive {
        fn crossing_after(&self, passes: u64) -> Vec<u32> {
            let crosses =
                |&&(_, length): &&(u32, u64)| (length + passes).is_multiple_of(self.period);
            let mut slots: Vec<u32> = self.lengths.iter().filter(crosses).map(|it| it.0).collect();
            slots.sort_unstable();
            slots
        }
    }

    proptest! {
        #[test]
        fn buckets_equal_lengths(
            period in prop_oneof![2_u32..9, 60_u32..70, Just(200), Just(5000)],
            steps in prop::collection::vec((0_u32..4, 0_u32..12, 0_u32..300), 1..40),
        ) {
            let mut fast = Crossings::new(period);
            let mut naive = Naive { period: u64::from(period), lengths: Vec::new() };
            for (kind, slot, value) in steps {
                let present = naive.lengths.iter().position(|it| it.0 == slot);
                match (kind, present) {
                    (0 | 1, None) => {
                        fast.join(slot, value);
                        naive.lengths.push((slot, u64::from(value)));
                    }
                    (2, Some(index)) => {
                        fast.leave(slot);
                        naive.lengths.remove(index);
                    }
                    _ => {
                        let within: usize = (0..u64::from(value))
                            .map(|passes| naive.crossing_after(passes).len())
                            .sum();
                        prop_assert_eq!(fast.count_within(value), within as u64);
                        prop_assert_eq!(
                            fast.count_after(value) as usize,
                            naive.crossing_after(u64::from(value)).len()
                        );
                        let next = (value..value + period)
                            .find(|&passes| !naive.crossing_after(u64::from(passes)).is_empty());
                        prop_assert_eq!(fast.until_next_after(value), next);
                        fast.advance(value);
                        for length in &mut naive.lengths {
                            length.1 += u64::from(value);
                        }
                    }
                }
                let mut now: Vec<u32> = fast.crossing_now().collect();
                now.sort_unstable();
                prop_assert_eq!(now, naive.crossing_after(0));
            }
        }
    }
}
