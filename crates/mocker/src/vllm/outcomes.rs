//! What a pass brings about, kept until its end is within the limit.

use sim_api::{EngineSink, KvChange, PassDurations, RequestId, Stamp, TokenGaps};
use sim_core::{SimDuration, SimTime};

use super::step_table::StepTable;

/// Something that happened to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    FirstToken(RequestId),
    SecondToken(RequestId),
    Completed(RequestId),
}

/// The gaps of the requests that got a token in the pass before as well.
#[derive(Clone, Copy, Debug)]
pub(super) enum PassLength {
    /// The pass has this length.
    Span(SimDuration),
    /// The entry of a row of decode times.
    Row { batch: u32, context: u32 },
}

/// The outcomes of the latest pass.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whether they are still to be delivered.
    pub(super) undelivered: bool,
    pub(super) stamp: Stamp,
    /// In running order.
    pub(super) outcomes: Vec<Outcome>,
    /// How many gaps have the length of the pass.
    pub(super) gaps: u32,
    pub(super) length: PassLength,
    /// Gaps of no length, between the tokens of bursts.
    pub(super) instant_gaps: u64,
    /// Starts of the other gaps.
    pub(super) long_gaps: Vec<SimTime>,
    pub(super) changes: Vec<KvChange>,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            undelivered: false,
            stamp: Stamp {
                at: SimTime::ZERO,
                pass_start: SimTime::ZERO,
            },
            outcomes: Vec::new(),
            gaps: 0,
            instant_gaps: 0,
            length: PassLength::Span(SimDuration::ZERO),
            long_gaps: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Begins the outcomes of a pass; those of the pass before were delivered.
    pub(super) fn begin(&mut self, stamp: Stamp, gaps: u32, length: PassLength) {
        debug_assert!(!self.undelivered);
        self.undelivered = true;
        self.stamp = stamp;
        self.gaps = gaps;
        self.length = length;
    }

    /// Whether it has a first token or a completion.
    pub(super) fn has_first_token_or_end(&self) -> bool {
        self.outcomes
            .iter()
            .any(|outcome| !matches!(outcome, Outcome::SecondToken(_)))
    }

    /// Whether it has a completion.
    pub(super) fn has_completion(&self) -> bool {
        self.outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Completed(_)))
    }

    /// Hands everything over.
    pub(super) fn deliver(&mut self, table: &mut StepTable, sink: &mut dyn EngineSink) {
        self.undelivered = false;
        let stamp = self.stamp;
        for change in self.changes.drain(..) {
            sink.kv(stamp, change);
        }
        for outcome in self.outcomes.drain(..) {
            match outcome {
                Outcome::FirstToken(request) => sink.first_token(stamp, request),
                Outcome::SecondToken(request) => sink.second_token(stamp, request),
                Outcome::Completed(request) => sink.completed(stamp, request),
            }
        }
        if self.gaps > 0 {
            let durations = match self.length {
                PassLength::Span(each) => PassDurations::Constant { each, passes: 1 },
                PassLength::Row { batch, context } => PassDurations::Row {
                    key: u64::from(batch),
                    first: context,
                    values: table.values(batch, context, 1),
                },
            };
            sink.gaps(TokenGaps {
                start: stamp.pass_start,
                requests: self.gaps,
                durations,
            });
        }
        tell_instant_gaps(stamp.at, std::mem::take(&mut self.instant_gaps), sink);
        for start in self.long_gaps.drain(..) {
            sink.gaps(TokenGaps {
                start,
                requests: 1,
                durations: PassDurations::Constant {
                    each: stamp.at - start,
                    passes: 1,
                },
            });
        }
    }
}

/// Tells of `gaps` gaps of no length.
pub(super) fn tell_instant_gaps(at: SimTime, mut gaps: u64, sink: &mut dyn EngineSink) {
    while gaps > 0 {
        let requests = u32::try_from(gaps).unwrap_or(u32::MAX);
        gaps -= u64::from(requests);
        sink.gaps(TokenGaps {
            start: at,
            requests,
            durations: PassDurations::Constant {
                each: SimDuration::ZERO,
                passes: 1,
            },
        });
    }
}
