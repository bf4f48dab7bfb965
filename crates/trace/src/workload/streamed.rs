//! A trace played while it is read: one row of look-ahead, whatever its length.

use std::path::{Path, PathBuf};

use sim_api::{Arrival, RequestId, SegmentId, Workload, WorkloadError};
use sim_core::SimTime;

use super::flat::boxed;
use super::issue::{Clock, Issuer};
use super::spec::{Pacing, Window};
use crate::error::{RowError, RowProblem, TraceError};
use crate::file::Lines;
use crate::table::{Row, RowReader, TraceBuilder, TraceOptions, anonymous_session};

/// A trace file that has been read through once and found fit to be streamed:
/// no sessions, every row with a timestamp, in the order of arrival.
#[derive(Clone, Debug)]
pub struct StreamedTrace {
    path: PathBuf,
    options: TraceOptions,
    requests: u64,
    first_ms: f64,
    /// Line of the first row without prompt tokens.
    empty_prompt: Option<u64>,
}

impl StreamedTrace {
    /// Reads through `path` without keeping it; `None` if it has to be read
    /// whole (see [`crate::Trace::open`]).
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn scan(path: &Path, options: &TraceOptions) -> Result<Option<Self>, TraceError> {
        let mut rows = Rows::open(path, options)?;
        let (mut first_ms, mut last_ms, mut requests) = (None, f64::NEG_INFINITY, 0);
        let mut empty_prompt = None;
        while let Some((row, named)) = rows.next()? {
            let Some(ms) = row.timestamp_ms.filter(|&ms| !named && ms >= last_ms) else {
                return Ok(None);
            };
            first_ms.get_or_insert(ms);
            last_ms = ms;
            if row.input_tokens == 0 {
                empty_prompt.get_or_insert(row.line);
            }
            requests += 1;
        }
        let Some(first_ms) = first_ms else {
            return Err(empty(path, false));
        };
        if requests >= u64::from(u32::MAX) {
            let trace = path.display().to_string();
            return Err(TraceError::TooLong { trace });
        }
        Ok(Some(Self {
            path: path.to_owned(),
            options: *options,
            requests,
            first_ms,
            empty_prompt,
        }))
    }

    /// How many requests it holds.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Refuses prompts without tokens, as the reference does.
    pub(super) fn refuse_empty_prompts(&self) -> Result<(), TraceError> {
        let Some(line) = self.empty_prompt else {
            return Ok(());
        };
        Err(TraceError::Row {
            trace: self.path.display().to_string(),
            error: Box::new(RowError {
                line,
                problem: RowProblem::NoInput {
                    session: anonymous_session(line),
                    turn: 0,
                    no_ids: false,
                },
            }),
        })
    }

    pub(super) fn block_size(&self) -> u32 {
        self.options.block_size
    }

    pub(super) fn workload(
        &self,
        pacing: Pacing,
        window: Window,
        issuer: Issuer,
    ) -> Result<StreamedWorkload, TraceError> {
        let mut workload = StreamedWorkload {
            rows: Rows::open(&self.path, &self.options)?,
            next: None,
            number: 0,
            left: window.limit.unwrap_or(u64::MAX),
            window,
            trace_first_ms: self.first_ms,
            clock: Clock::new(pacing, self.first_ms),
            issuer,
            requests: self.requests,
        };
        match workload.read_on()? {
            None => Err(empty(&self.path, true)),
            Some(row) => {
                workload.clock = Clock::new(pacing, row.timestamp_ms.unwrap_or(self.first_ms));
                workload.next = Some((SimTime::ZERO, row));
                Ok(workload)
            }
        }
    }
}

fn empty(path: &Path, windowed: bool) -> TraceError {
    TraceError::Empty {
        trace: path.display().to_string(),
        windowed,
    }
}

/// Checked rows, one at a time.
struct Rows {
    trace: String,
    reader: RowReader,
    builder: TraceBuilder,
    ids: Vec<u64>,
}

impl Rows {
    fn open(path: &Path, options: &TraceOptions) -> Result<Self, TraceError> {
        options.check()?;
        let lines = Lines::open(path)?;
        let trace = lines.trace().to_owned();
        Ok(Self {
            builder: TraceBuilder::new(trace.clone(), options.format, options.block_size),
            trace,
            reader: RowReader::new(lines, options),
            ids: Vec::new(),
        })
    }

    /// The next row and whether it names a session; its ids are in `self.ids`.
    fn next(&mut self) -> Result<Option<(Row, bool)>, TraceError> {
        if self.reader.push_next(&mut self.builder)? {
            Ok(self.builder.take_row(&mut self.ids))
        } else {
            Ok(None)
        }
    }
}

/// A trace while it is read.
pub(super) struct StreamedWorkload {
    rows: Rows,
    /// The look-ahead, with the time it is ready; its ids are the reader's.
    next: Option<(SimTime, Row)>,
    number: u32,
    left: u64,
    window: Window,
    trace_first_ms: f64,
    clock: Clock,
    issuer: Issuer,
    requests: u64,
}

impl StreamedWorkload {
    /// The next row inside the window.
    fn read_on(&mut self) -> Result<Option<Row>, TraceError> {
        while self.left > 0 {
            let Some((mut row, _)) = self.rows.next()? else {
                break;
            };
            row.session = self.number;
            self.number += 1;
            let since_ms = row.timestamp_ms.unwrap_or(0.0) - self.trace_first_ms;
            if self.window.holds(since_ms) {
                self.left -= 1;
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn timed(&self, row: Row) -> Result<(SimTime, Row), TraceError> {
        match self.clock.start(row.timestamp_ms.unwrap_or(0.0)) {
            Ok(at) => Ok((at, row)),
            // Also a file that has changed since it was scanned.
            Err(error) => Err(TraceError::Row {
                trace: self.rows.trace.clone(),
                error: Box::new(RowError {
                    line: row.line,
                    problem: RowProblem::TooLate {
                        field: "timestamp",
                        ms: error.0,
                    },
                }),
            }),
        }
    }
}

impl Workload for StreamedWorkload {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.next.map(|(at, _)| at))
    }

    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        for _ in 0..slots {
            let Some((ready, row)) = self.next.filter(|&(ready, _)| ready <= now) else {
                break;
            };
            let at = if self.clock.is_closed() { now } else { ready };
            out.push(self.issuer.issue(&self.rows.ids, &row, at));
            self.next = match self.read_on().map_err(boxed)? {
                Some(row) => Some(self.timed(row).map_err(boxed)?),
                None => None,
            };
        }
        Ok(())
    }

    fn on_complete(&mut self, _now: SimTime, _request: RequestId) {}

    fn reacts(&self) -> bool {
        false
    }

    fn len_hint(&self) -> Option<u64> {
        let timed = self.window.from_s.is_some() || self.window.to_s.is_some();
        (!timed).then(|| self.requests.min(self.window.limit.unwrap_or(u64::MAX)))
    }

    fn wants_to_forget(&self) -> bool {
        self.issuer.wants_to_forget()
    }

    fn forget_others(&mut self, known: Vec<SegmentId>) {
        self.issuer.forget_others(known);
    }
}
