//! Counting gaps between tokens by their length.

use hashbrown::HashMap;
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use sim_api::{PassDurations, TokenGaps};

use super::gap_statistics::{Gaps, Totals, distributions};
use super::histogram::Histogram;
use crate::distribution::Distribution;

/// Values of a step-time row that are kept together.
const CHUNK: usize = 64;
/// Chunks held before they are counted out and dropped (1 KiB each).
const CHUNK_LIMIT: usize = 1 << 17;
/// Different lengths held before the histogram takes over.
pub(crate) const LENGTH_LIMIT: usize = 1 << 21;

/// A stretch of a step-time row, and how often each of its entries was a gap.
///
/// `change[i]` is how many more gaps entry `i` has than entry `i - 1`, so
/// counting a run of entries touches only its two ends.
#[derive(Clone, Debug)]
struct Chunk {
    values: [u64; CHUNK],
    change: [i64; CHUNK],
    /// The entries `seen.0..seen.1` of `values` are known.
    seen: (usize, usize),
}

impl Chunk {
    fn empty() -> Self {
        Self {
            values: [0; CHUNK],
            change: [0; CHUNK],
            seen: (0, 0),
        }
    }

    fn add(&mut self, first: usize, values: &[u64], requests: i64) {
        let end = first + values.len();
        if first < self.seen.0 || end > self.seen.1 {
            self.values[first..end].copy_from_slice(values);
            let joins = first <= self.seen.1 && end >= self.seen.0;
            self.seen = if joins {
                (first.min(self.seen.0), end.max(self.seen.1))
            } else {
                (first, end)
            };
        }
        self.change[first] += requests;
        if end < CHUNK {
            self.change[end] -= requests;
        }
    }

    /// Tells every length that was a gap, with how often.
    fn for_each(&self, mut tell: impl FnMut(u64, u64)) {
        let mut gaps = 0_i64;
        for (&ns, &change) in self.values.iter().zip(&self.change) {
            gaps += change;
            if gaps > 0 {
                tell(ns, gaps as u64);
            }
        }
    }
}

/// Gaps by length: exact up to [`LENGTH_LIMIT`] different lengths, within
/// 2^-13 of the length beyond. Count and sum are always exact.
#[derive(Clone, Debug)]
pub(crate) struct GapCounter {
    /// In the order of their first gap, so that sums come out the same each time.
    lengths: IndexMap<u64, u64, FxBuildHasher>,
    length_limit: usize,
    beyond: Option<Histogram>,
    #[expect(
        clippy::vec_box,
        reason = "chunks stay where they are as the list grows"
    )]
    chunks: Vec<Box<Chunk>>,
    chunk_of: HashMap<(u64, u32), u32, FxBuildHasher>,
    last: Option<((u64, u32), u32)>,
    /// Of the gaps that are counted by length.
    totals: Totals,
}

impl GapCounter {
    pub(crate) fn new(length_limit: usize) -> Self {
        Self {
            lengths: IndexMap::default(),
            length_limit,
            beyond: None,
            chunks: Vec::new(),
            chunk_of: HashMap::default(),
            last: None,
            totals: Totals::default(),
        }
    }

    pub(crate) fn add(&mut self, gaps: &TokenGaps<'_>) {
        match gaps.durations {
            PassDurations::Constant { each, passes } => {
                let count = u64::from(gaps.requests) * u64::from(passes);
                self.add_length(each.as_ns(), count);
            }
            PassDurations::Row { key, first, values } => {
                self.add_row(key, first, values, gaps.requests);
            }
        }
    }

    fn add_row(&mut self, key: u64, first: u32, values: &[u64], requests: u32) {
        let (mut at, mut rest) = (first as usize, values);
        while !rest.is_empty() {
            let offset = at % CHUNK;
            let (now, later) = rest.split_at(rest.len().min(CHUNK - offset));
            let chunk = self.chunk((key, (at / CHUNK) as u32));
            self.chunks[chunk].add(offset, now, i64::from(requests));
            at += now.len();
            rest = later;
        }
    }

    fn chunk(&mut self, place: (u64, u32)) -> usize {
        if let Some((last, index)) = self.last
            && last == place
        {
            return index as usize;
        }
        if self.chunks.len() >= CHUNK_LIMIT && !self.chunk_of.contains_key(&place) {
            self.count_out();
        }
        let fresh = self.chunks.len() as u32;
        let index = *self.chunk_of.entry(place).or_insert(fresh);
        if index == fresh {
            self.chunks.push(Box::new(Chunk::empty()));
        }
        self.last = Some((place, index));
        index as usize
    }

    fn add_length(&mut self, ns: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.totals.add(ns, count);
        if let Some(beyond) = &mut self.beyond {
            beyond.add(ns, count);
            return;
        }
        *self.lengths.entry(ns).or_insert(0) += count;
        if self.lengths.len() > self.length_limit {
            let mut histogram = Histogram::default();
            for (ns, count) in std::mem::take(&mut self.lengths) {
                histogram.add(ns, count);
            }
            self.beyond = Some(histogram);
        }
    }

    /// Counts the gaps of all chunks by length and drops the chunks.
    fn count_out(&mut self) {
        self.chunk_of.clear();
        self.last = None;
        for chunk in std::mem::take(&mut self.chunks) {
            chunk.for_each(|ns, count| self.add_length(ns, count));
        }
    }

    /// Whether percentiles are within an error bound instead of exact.
    pub(crate) fn is_approximate(&self) -> bool {
        self.beyond.is_some()
    }

    /// The distributions of the gaps in milliseconds, and of 1000 / gap for
    /// gaps above zero.
    pub(crate) fn distributions(&self) -> (Distribution, Distribution) {
        let lengths = self.lengths();
        let counted = Counted {
            lengths: &lengths,
            chunks: &self.chunks,
        };
        let mut totals = self.totals;
        for chunk in &self.chunks {
            chunk.for_each(|ns, count| totals.add(ns, count));
        }
        distributions(&counted, &totals)
    }

    /// Gaps counted by length, in no order.
    fn lengths(&self) -> Vec<(u64, u64)> {
        match &self.beyond {
            Some(histogram) => histogram.pairs(),
            None => self.lengths.iter().map(|(&ns, &n)| (ns, n)).collect(),
        }
    }
}

/// All that was counted, wherever it is kept.
struct Counted<'a> {
    lengths: &'a [(u64, u64)],
    chunks: &'a [Box<Chunk>],
}

impl Gaps for Counted<'_> {
    fn for_each(&self, mut tell: impl FnMut(u64, u64)) {
        for &(ns, count) in self.lengths {
            tell(ns, count);
        }
        for chunk in self.chunks {
            chunk.for_each(&mut tell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sim_core::{SimDuration, SimTime};

    /// (row, first entry, entries, requests); row 9 stands for equal passes.
    fn stretches() -> impl Strategy<Value = Vec<(u64, u32, u32, u32)>> {
        prop::collection::vec((7_u64..10, 0_u32..900, 1_u32..400, 0_u32..5), 0..40)
    }

    fn entry(row: u64, index: u32) -> u64 {
        row * 1_000_000 + u64::from(index) * u64::from(index) % 5_000
    }

    fn feed(counter: &mut GapCounter, (row, first, passes, requests): (u64, u32, u32, u32)) {
        let values: Vec<u64> = (first..first + passes).map(|i| entry(row, i)).collect();
        let durations = if row == 9 {
            let each = SimDuration::from_ns(u64::from(first % 3));
            PassDurations::Constant { each, passes }
        } else {
            PassDurations::Row {
                key: row,
                first,
                values: &values,
            }
        };
        counter.add(&TokenGaps {
            start: SimTime::ZERO,
            requests,
            durations,
        });
    }

    fn naive(stretches: &[(u64, u32, u32, u32)]) -> Vec<u64> {
        let mut gaps = Vec::new();
        for &(row, first, passes, requests) in stretches {
            for index in first..first + passes {
                let ns = if row == 9 {
                    u64::from(first % 3)
                } else {
                    entry(row, index)
                };
                gaps.extend(std::iter::repeat_n(ns, requests as usize));
            }
        }
        gaps.sort_unstable();
        gaps
    }

    proptest! {
        #[test]
        fn ranges_count_like_single_gaps(stretches in stretches()) {
            let mut counter = GapCounter::new(LENGTH_LIMIT);
            for &stretch in &stretches {
                feed(&mut counter, stretch);
            }
            let (itl, rate) = counter.distributions();
            let gaps = naive(&stretches);
            counter.count_out();
            let sorted = counter.distributions();
            for (one, two) in [(itl, sorted.0), (rate, sorted.1)] {
                prop_assert_eq!(one.count, two.count);
                let bound = 1e-12 * one.max;
                for (one, two) in one.values().into_iter().zip(two.values()) {
                    prop_assert!((one - two).abs() <= bound, "{} {}", one, two);
                }
            }
            let mut lengths = counter.lengths();
            lengths.sort_unstable();
            let expanded: Vec<u64> = lengths
                .into_iter()
                .flat_map(|(ns, count)| std::iter::repeat_n(ns, count as usize))
                .collect();
            prop_assert_eq!(&expanded, &gaps);
            prop_assert_eq!(itl.count, gaps.len() as u64);
            prop_assert_eq!(rate.count, gaps.iter().filter(|&&ns| ns > 0).count() as u64);
        }

        #[test]
        fn beyond_the_limit_sums_stay_exact(stretches in stretches()) {
            let (mut exact, mut rough) = (GapCounter::new(LENGTH_LIMIT), GapCounter::new(5));
            for &stretch in &stretches {
                feed(&mut exact, stretch);
                feed(&mut rough, stretch);
            }
            let ((one, _), (two, _)) = (exact.distributions(), rough.distributions());
            prop_assert_eq!((one.count, one.mean, one.max), (two.count, two.mean, two.max));
            prop_assert!((one.p90 - two.p90).abs() <= one.p90 / 8192.0);
        }
    }
}
