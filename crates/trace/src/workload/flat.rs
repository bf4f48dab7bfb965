//! A trace of single requests: sorted by time once, then a cursor.

use std::sync::Arc;

use sim_api::{Arrival, RequestId, Workload, WorkloadError};
use sim_core::SimTime;

use super::issue::{Clock, Issuer};
use crate::table::Trace;

/// Requests in the order of their arrival.
pub(super) struct FlatWorkload {
    trace: Arc<Trace>,
    rows: Vec<u32>,
    next: usize,
    clock: Clock,
    issuer: Issuer,
}

impl FlatWorkload {
    /// Plays `rows`, which are in file order.
    pub(super) fn new(trace: Arc<Trace>, mut rows: Vec<u32>, clock: Clock, issuer: Issuer) -> Self {
        if !clock.is_closed() {
            // Rows of one time stay in file order.
            let time = |row: u32| trace.row(row).timestamp_ms.unwrap_or(0.0);
            rows.sort_by(|&one, &two| time(one).total_cmp(&time(two)));
        }
        Self {
            trace,
            rows,
            next: 0,
            clock,
            issuer,
        }
    }

    fn ready(&self) -> Result<Option<(u32, SimTime)>, WorkloadError> {
        let Some(&row) = self.rows.get(self.next) else {
            return Ok(None);
        };
        let ms = self.trace.row(row).timestamp_ms.unwrap_or(0.0);
        let at = self.clock.start(ms).map_err(boxed)?;
        Ok(Some((row, at)))
    }
}

impl Workload for FlatWorkload {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.ready()?.map(|(_, at)| at))
    }

    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        for _ in 0..slots {
            let Some((row, ready)) = self.ready()?.filter(|&(_, ready)| ready <= now) else {
                break;
            };
            let at = if self.clock.is_closed() { now } else { ready };
            let row = self.trace.row(row);
            let arrival = self.issuer.issue(self.trace.ids_of(row), row, at);
            out.push(arrival);
            self.next += 1;
        }
        Ok(())
    }

    fn on_complete(&mut self, _now: SimTime, _request: RequestId) {}

    fn reacts(&self) -> bool {
        false
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.rows.len() as u64)
    }
}

pub(super) fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> WorkloadError {
    WorkloadError(Box::new(error))
}
