//! From a row to an arrival: its number, its time, its prompt.

use sim_api::{Arrival, Origin, Quirk, Quirks, RequestId, SegmentId, SessionId};
use sim_core::{DurationError, SimDuration, SimTime};

use super::spec::{Pacing, turns_from};
use crate::error::{RowProblem, TraceError};
use crate::prefix::{BlockSizes, PrefixInterner};
use crate::table::{Row, Trace};

/// The door from a trace's milliseconds to simulated time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// The trace's time of the run's start; `None` if its times do not count.
    first_ms: Option<f64>,
    speedup: f64,
}

impl Clock {
    pub(super) fn new(pacing: Pacing, first_ms: f64) -> Self {
        match pacing {
            Pacing::Arrivals { speedup } => Self {
                first_ms: Some(first_ms),
                speedup,
            },
            Pacing::Closed { .. } => Self {
                first_ms: None,
                speedup: 1.0,
            },
        }
    }

    /// Whether requests arrive when they are released.
    pub(super) fn is_closed(&self) -> bool {
        self.first_ms.is_none()
    }

    /// When something that starts at `ms` is ready.
    pub(super) fn start(&self, ms: f64) -> Result<SimTime, DurationError> {
        let Some(first_ms) = self.first_ms else {
            return Ok(SimTime::ZERO);
        };
        let since = SimDuration::try_from_ms((ms - first_ms) / self.speedup)?;
        Ok(SimTime::ZERO.saturating_add(since))
    }

    /// The wait of a turn after the one before it.
    pub(super) fn delay(&self, ms: f64) -> Result<SimDuration, DurationError> {
        SimDuration::try_from_ms(ms / self.speedup)
    }

    /// Whether all times of these sessions can be simulated.
    pub(super) fn check_range(
        &self,
        trace: &Trace,
        starts: &[u32],
        end_row: u32,
    ) -> Result<(), TraceError> {
        for &first in starts {
            for row in turns_from(trace, first).take_while(|&row| row < end_row) {
                let row = trace.row(row);
                let wait = if row.turn == 0 {
                    (
                        "timestamp",
                        self.start(row.timestamp_ms.unwrap_or(0.0)).map(drop),
                    )
                } else {
                    ("delay", self.delay(row.delay_ms).map(drop))
                };
                if let (field, Err(DurationError(ms))) = wait {
                    return Err(trace.row_error(row, RowProblem::TooLate { field, ms }));
                }
            }
        }
        Ok(())
    }
}

/// Numbers requests and interns their prompts.
#[derive(Debug)]
pub(super) struct Issuer {
    interner: PrefixInterner,
    priorities: bool,
    issued: u32,
}

impl Issuer {
    pub(super) fn new(sizes: BlockSizes, quirks: Quirks) -> Self {
        Self {
            interner: PrefixInterner::new(sizes, quirks),
            priorities: !quirks.has(Quirk::RefuseLaterFeatures),
            issued: 0,
        }
    }

    pub(super) fn wants_to_forget(&self) -> bool {
        self.interner.is_heavy()
    }

    pub(super) fn forget_others(&mut self, known: Vec<SegmentId>) {
        self.interner.forget_others(known);
    }

    /// The arrival of `row`, with its hash `ids`, at `at`.
    pub(super) fn issue(&mut self, ids: &[u64], row: &Row, at: SimTime) -> Arrival {
        let id = RequestId(self.issued);
        self.issued += 1;
        Arrival {
            id,
            at,
            prompt: self.interner.prompt(ids, row.input_tokens),
            output_tokens: row.output_tokens,
            origin: Origin {
                session: SessionId(row.session),
                turn: row.turn,
            },
            priority: if self.priorities { row.priority } else { 0 },
        }
    }
}
