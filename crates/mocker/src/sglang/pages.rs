//! Pages of a sequence, by runs of consecutive ones.

use sim_api::{Prompt, RequestId};
use smallvec::SmallVec;

use crate::blocks::{BlockId, Chain};

/// Consecutive pages of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageRun {
    pub(super) chain: Chain,
    /// The first page.
    pub(super) from: u32,
    /// How many; at least 1.
    pub(super) count: u32,
}

/// Some consecutive pages of a sequence.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages(SmallVec<[PageRun; 2]>);

impl Pages {
    /// The full pages of a prompt.
    pub(super) fn of_prompt(prompt: &Prompt) -> Self {
        let run = |run: &sim_api::KvRun| PageRun {
            chain: Chain::Segment(run.segment),
            from: 0,
            count: run.blocks,
        };
        Self(prompt.runs().iter().map(run).collect())
    }

    /// How many pages.
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.count)).sum()
    }

    pub(super) fn runs(&self) -> &[PageRun] {
        &self.0
    }

    /// The first page, if there is one.
    pub(super) fn first(&self) -> Option<BlockId> {
        self.0.first().map(|run| BlockId {
            chain: run.chain,
            index: run.from,
        })
    }

    /// Adds the pages `from..to` of a request's own.
    pub(super) fn push_own(&mut self, request: RequestId, from: u64, to: u64) {
        if from < to {
            self.0.push(PageRun {
                chain: Chain::Request(request),
                from: from as u32,
                count: (to - from) as u32,
            });
        }
    }

    /// The pages `from..to` of these, as far as there are any.
    pub(super) fn slice(&self, from: u64, to: u64) -> Self {
        let mut pages = SmallVec::new();
        let mut start = 0;
        for run in &self.0 {
            let end = start + u64::from(run.count);
            let (low, high) = (from.max(start), to.min(end));
            if low < high {
                pages.push(PageRun {
                    chain: run.chain,
                    from: run.from + (low - start) as u32,
                    count: (high - low) as u32,
                });
            }
            start = end;
        }
        Self(pages)
    }

    /// How many pages these and others begin with together.
    pub(super) fn common(&self, other: &Self) -> u64 {
        let mut common = 0;
        let (mut ours, mut theirs) = (self.0.iter().copied(), other.0.iter().copied());
        let (mut one, mut two) = (ours.next(), theirs.next());
        while let (Some(a), Some(b)) = (one, two)
            && (a.chain, a.from) == (b.chain, b.from)
        {
            let count = a.count.min(b.count);
            common += u64::from(count);
            one = rest(a, count).or_else(|| ours.next());
            two = rest(b, count).or_else(|| theirs.next());
        }
        common
    }
}

/// A run without its first `count` pages.
fn rest(run: PageRun, count: u32) -> Option<PageRun> {
    (run.count > count).then(|| PageRun {
        from: run.from + count,
        count: run.count - count,
        ..run
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_api::{KvRun, SegmentId};

    fn pages(runs: &[(u32, u32)]) -> Pages {
        let run = |&(segment, blocks): &(u32, u32)| KvRun {
            segment: SegmentId(segment),
            blocks,
        };
        let runs: Vec<KvRun> = runs.iter().map(run).collect();
        Pages::of_prompt(&Prompt::new(1000, runs.into()))
    }

    #[test]
    fn slices_are_cut_inside_runs() {
        let pages = pages(&[(0, 3), (1, 4)]);
        let slice = pages.slice(2, 5);
        assert_eq!(slice.len(), 3);
        assert_eq!(slice.first().map(|page| page.index), Some(2));
        assert_eq!(slice.runs()[1].count, 2);
        assert_eq!(pages.slice(7, 9).first(), None);
    }

    #[test]
    fn common_pages_end_where_chains_part() {
        let one = pages(&[(0, 3), (1, 4)]);
        assert_eq!(one.common(&pages(&[(0, 3), (1, 2), (2, 5)])), 5);
        assert_eq!(one.common(&pages(&[(0, 2), (3, 2)])), 2);
        assert_eq!(one.common(&pages(&[(4, 2)])), 0);
        assert_eq!(one.common(&one), 7);
        // Differently cut runs of the same pages.
        let mut cut = one.slice(0, 1);
        cut.0.extend(one.slice(1, 7).0);
        assert_eq!(one.common(&cut), 7);
    }
}
