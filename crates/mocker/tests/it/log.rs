//! Everything an engine reports, with runs taken apart into single passes,
//! gaps and blocks, so that two engines can be compared.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sim_api::{
    Admitted, EngineSink, KvChange, PassRecord, PassRun, Preempted, RequestId, SegmentId, Stamp,
    TokenGaps, Watch,
};
use sim_core::{SimDuration, SimTime};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    First,
    Second,
    Last,
}

/// A block that became resident, or is no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Stored(u32),
    Removed(u32),
}

/// The reports of one engine.
#[derive(Debug, Default)]
pub(crate) struct Log {
    admitted: Vec<Admitted>,
    preempted: Vec<Preempted>,
    tokens: Vec<(Stamp, Token, RequestId)>,
    gaps: BTreeMap<(SimTime, SimDuration), u64>,
    passes: Vec<(SimTime, SimDuration, PassRecord)>,
    kv: BTreeMap<(Stamp, SegmentId), Vec<Block>>,
    resident: BTreeMap<SegmentId, u32>,
    last_stamp: Option<Stamp>,
}

impl Log {
    /// The instant of the first outcome of a kind.
    pub(crate) fn first_watched(&self, watch: Watch) -> Option<SimTime> {
        let token = |kinds: &[Token]| {
            let of_kind = |it: &&(Stamp, Token, RequestId)| kinds.contains(&it.1);
            self.tokens.iter().find(of_kind).map(|it| it.0.at)
        };
        match watch {
            Watch::PassEnd => {
                let mut gaps = self.gaps.keys().filter(|(_, gap)| !gap.is_zero());
                gaps.by_ref().map(|&(start, gap)| start + gap).min()
            }
            Watch::FirstTokenOrEnd => token(&[Token::First, Token::Last]),
            Watch::Completion => token(&[Token::Last]),
        }
    }

    /// Compares what was reported since the last time.
    pub(crate) fn compare_and_clear(&mut self, other: &mut Self) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.admitted, &other.admitted);
        prop_assert_eq!(&self.preempted, &other.preempted);
        prop_assert_eq!(&self.tokens, &other.tokens);
        prop_assert_eq!(&self.gaps, &other.gaps);
        prop_assert_eq!(&self.passes, &other.passes);
        prop_assert_eq!(&self.kv, &other.kv);
        prop_assert_eq!(&self.resident, &other.resident);
        for log in [self, other] {
            *log = Self {
                resident: std::mem::take(&mut log.resident),
                last_stamp: log.last_stamp,
                ..Self::default()
            };
        }
        Ok(())
    }

    fn token(&mut self, stamp: Stamp, token: Token, request: RequestId) {
        assert!(
            self.last_stamp.is_none_or(|last| last <= stamp),
            "{token:?} of {request:?} at {stamp:?} after {:?}",
            self.last_stamp
        );
        self.last_stamp = Some(stamp);
        self.tokens.push((stamp, token, request));
    }
}

impl EngineSink for Log {
    fn admitted(&mut self, admitted: Admitted) {
        self.admitted.push(admitted);
    }

    fn preempted(&mut self, preempted: Preempted) {
        self.preempted.push(preempted);
    }

    fn first_token(&mut self, stamp: Stamp, request: RequestId) {
        self.token(stamp, Token::First, request);
    }

    fn second_token(&mut self, stamp: Stamp, request: RequestId) {
        self.token(stamp, Token::Second, request);
    }

    fn completed(&mut self, stamp: Stamp, request: RequestId) {
        self.token(stamp, Token::Last, request);
    }

    fn gaps(&mut self, gaps: TokenGaps<'_>) {
        let mut start = gaps.start;
        for index in 0..gaps.durations.passes() {
            let gap = gaps.durations.get(index);
            // Gaps of no length may be told for many passes at once.
            let at = if gap.is_zero() { SimTime::ZERO } else { start };
            *self.gaps.entry((at, gap)).or_default() += u64::from(gaps.requests);
            start += gap;
        }
    }

    fn passes(&mut self, run: PassRun<'_>) {
        let mut start = run.start;
        let mut record = run.first;
        for index in 0..run.durations.passes() {
            let length = run.durations.get(index);
            self.passes.push((start, length, record));
            start += length;
            record.decode_contexts.shift(1);
        }
    }

    fn kv(&mut self, stamp: Stamp, change: KvChange) {
        let (run, blocks, left) = match change {
            KvChange::Stored { run } => {
                let before = self.resident.get(&run.segment).copied().unwrap_or(0);
                let blocks = (before..run.blocks).map(Block::Stored).collect::<Vec<_>>();
                (run, blocks, run.blocks.max(before))
            }
            KvChange::Removed { run, keep } => {
                let before = self.resident.get(&run.segment).copied();
                assert_eq!(before, Some(run.blocks), "{change:?}");
                let blocks = (keep..run.blocks).rev().map(Block::Removed).collect();
                (run, blocks, keep)
            }
        };
        self.kv
            .entry((stamp, run.segment))
            .or_default()
            .extend(blocks);
        if left > 0 {
            self.resident.insert(run.segment, left);
        } else {
            self.resident.remove(&run.segment);
        }
    }
}
