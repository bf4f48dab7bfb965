//! Sessions: one turn outstanding each, the next one a delay after its end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{Arrival, RequestId, Workload, WorkloadError};
use sim_core::{SimDuration, SimTime};

use super::issue::{Clock, Issuer};
use super::spec::Chosen;
use crate::table::{NO_ROW, Trace};

/// A turn that may be released; ordered by time, session, turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ReadyTurn {
    at: SimTime,
    session: u32,
    turn: u32,
    row: u32,
}

/// Requests of sessions with several turns.
pub(super) struct SessionWorkload {
    trace: Arc<Trace>,
    ready: BinaryHeap<Reverse<ReadyTurn>>,
    /// Rows from this one on are left out.
    end_row: u32,
    requests: u64,
    /// The rows that follow the requests in flight.
    in_flight: HashMap<RequestId, u32, FxBuildHasher>,
    clock: Clock,
    issuer: Issuer,
}

impl SessionWorkload {
    /// Plays the `chosen` sessions; the clock can tell all their times.
    pub(super) fn new(trace: Arc<Trace>, chosen: &Chosen, clock: Clock, issuer: Issuer) -> Self {
        let first_turn = |&row: &u32| {
            let first = trace.row(row);
            let at = clock.start(first.timestamp_ms.unwrap_or(0.0));
            Reverse(ReadyTurn {
                at: at.unwrap_or(SimTime::MAX),
                session: first.session,
                turn: 0,
                row,
            })
        };
        let ready = chosen.starts.iter().map(first_turn).collect();
        Self {
            trace,
            ready,
            end_row: chosen.end_row,
            requests: chosen.requests,
            in_flight: HashMap::default(),
            clock,
            issuer,
        }
    }
}

impl Workload for SessionWorkload {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.ready.peek().map(|Reverse(turn)| turn.at))
    }

    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        for _ in 0..slots {
            let Some(Reverse(turn)) = self.ready.peek().filter(|turn| turn.0.at <= now) else {
                break;
            };
            let at = if self.clock.is_closed() { now } else { turn.at };
            let row = self.trace.row(turn.row);
            let arrival = self.issuer.issue(self.trace.ids_of(row), row, at);
            if row.next != NO_ROW && row.next < self.end_row {
                self.in_flight.insert(arrival.id, row.next);
            }
            self.ready.pop();
            out.push(arrival);
        }
        Ok(())
    }

    fn on_complete(&mut self, now: SimTime, request: RequestId) {
        let Some(row) = self.in_flight.remove(&request) else {
            return;
        };
        let next = self.trace.row(row);
        let delay = self.clock.delay(next.delay_ms);
        self.ready.push(Reverse(ReadyTurn {
            at: now.saturating_add(delay.unwrap_or(SimDuration::ZERO)),
            session: next.session,
            turn: next.turn,
            row,
        }));
    }

    fn reacts(&self) -> bool {
        true
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.requests)
    }
}
