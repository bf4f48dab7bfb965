//! A synthetic load in play. Single requests leave no state behind.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{
    Arrival, KvRun, Origin, Prompt, RequestId, SegmentId, SessionId, Workload, WorkloadError,
};
use sim_core::{SimDuration, SimTime};

use super::flat::boxed;
use super::spec::Pacing;
use super::starts::{Start, Starts};
use super::synthetic::Synthetic;
use crate::setting::LoadError;

/// A turn that may be released; ordered by time, session, turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: SimTime,
    session: u32,
    turn: u32,
    turns: u32,
    group: Option<u32>,
}

impl Turn {
    fn first(start: Start) -> Self {
        Self {
            at: start.at,
            session: start.session,
            turn: 0,
            turns: start.turns,
            group: start.group,
        }
    }
}

/// Equal requests.
pub(super) struct SyntheticWorkload {
    starts: Starts,
    /// The next session to start.
    first_turn: Option<Turn>,
    /// Later turns that are ready.
    later_turns: BinaryHeap<Reverse<Turn>>,
    in_flight: HashMap<RequestId, Turn, FxBuildHasher>,
    closed: bool,
    delay: SimDuration,
    turns_per_session: u32,
    shape: Shape,
    issued: u32,
}

/// What all requests have in common.
struct Shape {
    input_tokens: u32,
    output_tokens: u32,
    shared_blocks: u32,
    own_blocks: u32,
    /// Segments kept for the shared prefixes, one a group.
    groups: u32,
}

impl Shape {
    fn new(load: &Synthetic, engine_block: NonZeroU32, groups_collapse: bool) -> Self {
        let full = load.input_tokens / engine_block;
        let blocks = load.input_tokens.div_ceil(engine_block.get());
        let shared = (f64::from(blocks) * load.shared_prefix_ratio).round();
        let groups = load.groups();
        let shared_blocks = if groups > 0 {
            (shared as u32).min(full)
        } else {
            0
        };
        Self {
            input_tokens: load.input_tokens,
            output_tokens: load.output_tokens,
            shared_blocks,
            own_blocks: full - shared_blocks,
            groups: if groups_collapse {
                groups.min(1)
            } else {
                groups
            },
        }
    }

    /// The prompt of request `number`.
    fn prompt(&self, number: u32, group: Option<u32>) -> Prompt {
        // One group, or all of them collapsed into one.
        let group = group.unwrap_or(0).min(self.groups.saturating_sub(1));
        let run = |segment, blocks| KvRun {
            segment: SegmentId(segment),
            blocks,
        };
        let shared = run(group, self.shared_blocks);
        let own = run(self.groups + number, self.own_blocks);
        let runs: Arc<[KvRun]> = match (self.shared_blocks, self.own_blocks) {
            (0, 0) => Arc::from([]),
            (0, _) => Arc::from([own]),
            (_, 0) => Arc::from([shared]),
            _ => Arc::from([shared, own]),
        };
        Prompt::new(self.input_tokens, runs)
    }
}

impl SyntheticWorkload {
    pub(super) fn new(
        load: &Synthetic,
        mut starts: Starts,
        pacing: Pacing,
        engine_block: NonZeroU32,
        groups_collapse: bool,
    ) -> Result<Self, LoadError> {
        let (closed, speedup) = match pacing {
            Pacing::Arrivals { speedup } => (false, speedup),
            Pacing::Closed { .. } => (true, 1.0),
        };
        let delay = SimDuration::try_from_ms(load.inter_turn_delay_ms / speedup);
        let delay = delay.map_err(|error| crate::setting::SettingError {
            field: "inter_turn_delay_ms",
            expected: "within 584 years",
            got: error.0.to_string(),
        })?;
        Ok(Self {
            first_turn: starts.next()?.map(Turn::first),
            starts,
            later_turns: BinaryHeap::new(),
            in_flight: HashMap::default(),
            closed,
            delay,
            turns_per_session: load.turns_per_session,
            shape: Shape::new(load, engine_block, groups_collapse),
            issued: 0,
        })
    }

    /// Whether there is nothing to play.
    pub(super) fn is_empty(&self) -> bool {
        self.first_turn.is_none()
    }

    fn ready(&self) -> Option<Turn> {
        let later = self.later_turns.peek().map(|turn| turn.0);
        match (self.first_turn, later) {
            (Some(first), Some(later)) => Some(first.min(later)),
            (first, later) => first.or(later),
        }
    }

    fn take(&mut self, turn: &Turn) -> Result<(), WorkloadError> {
        if turn.turn > 0 {
            self.later_turns.pop();
        } else {
            self.first_turn = self.starts.next().map_err(boxed)?.map(Turn::first);
        }
        Ok(())
    }
}

impl Workload for SyntheticWorkload {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.ready().map(|turn| turn.at))
    }

    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        for _ in 0..slots {
            let Some(turn) = self.ready().filter(|turn| turn.at <= now) else {
                break;
            };
            self.take(&turn)?;
            let id = RequestId(self.issued);
            self.issued += 1;
            if turn.turn + 1 < turn.turns {
                self.in_flight.insert(id, turn);
            }
            out.push(Arrival {
                id,
                at: if self.closed { now } else { turn.at },
                prompt: self.shape.prompt(id.0, turn.group),
                output_tokens: self.shape.output_tokens,
                origin: Origin {
                    session: SessionId(turn.session),
                    turn: turn.turn,
                },
                priority: 0,
            });
        }
        Ok(())
    }

    fn on_complete(&mut self, now: SimTime, request: RequestId) {
        if self.turns_per_session == 1 {
            return;
        }
        if let Some(turn) = self.in_flight.remove(&request) {
            self.later_turns.push(Reverse(Turn {
                at: now.saturating_add(self.delay),
                turn: turn.turn + 1,
                ..turn
            }));
        }
    }

    fn reacts(&self) -> bool {
        self.turns_per_session > 1
    }

    fn len_hint(&self) -> Option<u64> {
        self.starts.requests()
    }
}
