//! What a workload is made of.

use std::num::NonZeroU32;
use std::sync::Arc;

use sim_api::{Quirk, Quirks, Workload};

use super::flat::FlatWorkload;
use super::issue::{Clock, Issuer};
use super::sessions::SessionWorkload;
use super::streamed::StreamedTrace;
use super::synthetic::Synthetic;
use crate::error::{RowProblem, TraceError};
use crate::prefix::BlockSizes;
use crate::setting::{LoadError, at_least_one, check, not_negative, positive};
use crate::table::{NO_ROW, Trace};

/// Where requests come from.
#[derive(Clone, Debug)]
pub enum Load {
    /// A parsed trace.
    Trace(Arc<Trace>),
    /// A trace that is read while it is played.
    Streamed(StreamedTrace),
    /// Equal requests.
    Synthetic(Synthetic),
}

/// When requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// At the load's own times; times and delays are divided by `speedup`.
    Arrivals {
        /// Finite, above 0.
        speedup: f64,
    },
    /// As soon as fewer than `concurrency` requests are in flight, which is the
    /// business of whoever releases them; delays between turns are kept.
    Closed {
        /// At least 1.
        concurrency: u64,
    },
}

/// A part of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// At most so many requests, in file order.
    pub limit: Option<u64>,
    /// Only sessions that start at or after so many seconds after the first.
    pub from_s: Option<f64>,
    /// Only sessions that start before so many seconds after the first.
    pub to_s: Option<f64>,
}

impl Window {
    /// Whether everything is in it.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    fn cuts_time(&self) -> bool {
        self.from_s.is_some() || self.to_s.is_some()
    }

    /// Whether a start so many milliseconds after the first is in it.
    pub(crate) fn holds(&self, ms: f64) -> bool {
        self.from_s.is_none_or(|from| ms >= from * 1000.0)
            && self.to_s.is_none_or(|to| ms < to * 1000.0)
    }

    /// Checks its settings.
    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if let Some(limit) = self.limit {
            at_least_one("limit", limit)?;
        }
        let from = self.from_s.unwrap_or(0.0);
        not_negative("from", from)?;
        if let Some(to) = self.to_s {
            let holds = to.is_finite() && to > from;
            check(holds, "to", "finite and later than from", to)?;
        }
        Ok(())
    }
}

/// A workload to be made; cheap to make many times.
#[derive(Clone, Debug)]
pub struct WorkloadSpec {
    /// Where requests come from.
    pub load: Load,
    /// When they arrive.
    pub pacing: Pacing,
    /// Which of them.
    pub window: Window,
    /// Tokens of a KV block of the engines; at least 1.
    pub engine_block_size: u32,
    /// Which of the reference's mistakes to make.
    pub quirks: Quirks,
}

impl WorkloadSpec {
    /// Makes the workload.
    ///
    /// # Errors
    /// A setting is out of range, or the trace does not fit the settings.
    pub fn build(&self) -> Result<Box<dyn Workload>, LoadError> {
        match self.pacing {
            Pacing::Arrivals { speedup } => positive("arrival_speedup_ratio", speedup)?,
            Pacing::Closed { concurrency } => at_least_one("replay_concurrency", concurrency)?,
        }
        self.window.validate()?;
        let engine = block_size("block_size", self.engine_block_size)?;
        match &self.load {
            Load::Trace(trace) => self.of_trace(trace, engine),
            Load::Streamed(trace) => {
                if self.quirks.has(Quirk::RefuseLaterFeatures) {
                    trace.refuse_empty_prompts()?;
                }
                let sizes = BlockSizes {
                    trace: block_size("trace_block_size", trace.block_size())?,
                    engine,
                };
                let issuer = Issuer::new(sizes, self.quirks);
                Ok(Box::new(trace.workload(
                    self.pacing,
                    self.window,
                    issuer,
                )?))
            }
            Load::Synthetic(synthetic) => {
                synthetic.workload(self.pacing, &self.window, engine, self.quirks)
            }
        }
    }

    fn of_trace(
        &self,
        trace: &Arc<Trace>,
        engine: NonZeroU32,
    ) -> Result<Box<dyn Workload>, LoadError> {
        if matches!(self.pacing, Pacing::Arrivals { .. }) && !trace.format().has_arrival_times() {
            return Err(LoadError::NeedsConcurrency {
                format: trace.format().name(),
            });
        }
        let sizes = BlockSizes {
            trace: block_size("trace_block_size", trace.block_size())?,
            engine,
        };
        if self.quirks.has(Quirk::RefuseLaterFeatures) {
            refuse_empty_prompts(trace)?;
        }
        let chosen = choose(trace, &self.window)?;
        let first_ms = match self.pacing {
            Pacing::Arrivals { .. } => earliest_start(trace, &chosen.starts)?,
            Pacing::Closed { .. } => 0.0,
        };
        let clock = Clock::new(self.pacing, first_ms);
        clock.check_range(trace, &chosen.starts, chosen.end_row)?;
        let issuer = Issuer::new(sizes, self.quirks);
        let trace = Arc::clone(trace);
        let multi_turn = chosen.requests > chosen.starts.len() as u64;
        Ok(if multi_turn {
            Box::new(SessionWorkload::new(trace, &chosen, clock, issuer))
        } else {
            Box::new(FlatWorkload::new(trace, chosen.starts, clock, issuer))
        })
    }
}

/// The rows of `trace` inside `window`.
pub(crate) fn choose(trace: &Trace, window: &Window) -> Result<Chosen, TraceError> {
    let mut starts = trace.session_starts().to_vec();
    let mut requests = trace.len() as u64;
    if window.cuts_time() {
        let first_ms = earliest_start(trace, &starts)?;
        let start_ms = |&row: &u32| trace.row(row).timestamp_ms.unwrap_or(first_ms);
        starts.retain(|row| window.holds(start_ms(row) - first_ms));
        requests = starts.iter().map(|&row| turns(trace, row)).sum();
    }
    let mut end_row = NO_ROW;
    if let Some(limit) = window.limit
        && limit < requests
    {
        end_row = row_after(trace, &starts, limit);
        starts.retain(|&row| row < end_row);
        requests = limit;
    }
    if starts.is_empty() {
        return Err(TraceError::Empty {
            trace: trace.name().to_owned(),
            windowed: true,
        });
    }
    Ok(Chosen {
        starts,
        end_row,
        requests,
    })
}

/// What of a trace a workload plays.
pub(crate) struct Chosen {
    /// First rows of the sessions, in file order.
    pub(crate) starts: Vec<u32>,
    /// Rows from this one on are left out.
    pub(crate) end_row: u32,
    /// How many requests.
    pub(crate) requests: u64,
}

fn block_size(field: &'static str, tokens: u32) -> Result<NonZeroU32, LoadError> {
    at_least_one(field, u64::from(tokens))?;
    Ok(NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN))
}

/// The rows of the session that starts with `row`, in turn.
pub(crate) fn turns_from(trace: &Trace, row: u32) -> impl Iterator<Item = u32> + '_ {
    std::iter::successors(Some(row), |&row| {
        Some(trace.row(row).next).filter(|&next| next != NO_ROW)
    })
}

fn turns(trace: &Trace, row: u32) -> u64 {
    turns_from(trace, row).count() as u64
}

/// The row before which `limit` rows of these sessions lie.
fn row_after(trace: &Trace, starts: &[u32], limit: u64) -> u32 {
    let mut rows: Vec<u32> = starts
        .iter()
        .flat_map(|&row| turns_from(trace, row))
        .collect();
    rows.sort_unstable();
    rows.get(limit as usize).copied().unwrap_or(NO_ROW)
}

/// When the first of these sessions starts.
fn earliest_start(trace: &Trace, starts: &[u32]) -> Result<f64, TraceError> {
    let mut earliest = f64::INFINITY;
    for &row in starts {
        let row = trace.row(row);
        let Some(ms) = row.timestamp_ms else {
            let session = trace.session_name(row);
            return Err(trace.row_error(row, RowProblem::NoTimestamp { session }));
        };
        earliest = earliest.min(ms);
    }
    Ok(earliest)
}

/// The reference refuses empty prompts; otherwise engines reject them.
fn refuse_empty_prompts(trace: &Trace) -> Result<(), TraceError> {
    match trace.rows().iter().find(|row| row.input_tokens == 0) {
        None => Ok(()),
        Some(row) => Err(trace.row_error(
            row,
            RowProblem::NoInput {
                session: trace.session_name(row),
                turn: row.turn,
                no_ids: false,
            },
        )),
    }
}
