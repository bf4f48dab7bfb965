//! Per-request records, one JSON object a line, in order of arrival.

use std::io::{self, Write};

use serde::Serialize;
use sim_api::{
    Admitted, Arrival, Dispatch, Observer, Pool, Rejection, RequestId, RunEnd, Stamp, WorkerRef,
};
use sim_core::SimTime;

use crate::SlaTargets;
use crate::collect::Window;
use crate::sla::Latency;

/// One line. What did not happen is absent.
#[derive(Clone, Debug, Serialize)]
struct Record {
    id: u32,
    session: u32,
    turn: u32,
    arrival_ms: f64,
    input_tokens: u32,
    output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_admission_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_ms: Option<f64>,
    /// Found in a cache at first admission, the better pool of two.
    reused_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tpot_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e2e_latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefill_worker: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode_worker: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sla_met: Option<bool>,
}

#[derive(Clone, Debug)]
struct Entry {
    record: Record,
    arrived: SimTime,
    first_token: SimTime,
    /// Prefill, decode.
    admitted: [bool; 2],
    done: bool,
}

/// Writes a line for every request as soon as it and all that arrived before
/// it have ended. A request that never ended is written when the run ends,
/// without the fields of what did not happen.
///
/// A failed write ends the writing; [`RequestLog::finish`] tells.
///
/// ```
/// use report::{RequestLog, SlaTargets};
/// let mut lines = Vec::new();
/// let log = RequestLog::new(&mut lines, SlaTargets::default());
/// log.finish()?;
/// assert!(lines.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RequestLog<W: Write> {
    out: W,
    sla: SlaTargets,
    entries: Window<Entry>,
    failed: Option<io::Error>,
}

impl<W: Write> RequestLog<W> {
    /// A log of a run that has not begun. `out` should be buffered.
    pub fn new(out: W, sla: SlaTargets) -> Self {
        Self {
            out,
            sla,
            entries: Window::default(),
            failed: None,
        }
    }

    /// Flushes the log.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn end(&mut self, request: RequestId) {
        if let Some(entry) = self.entries.get_mut(request) {
            entry.done = true;
        }
        while self.entries.front().is_some_and(|entry| entry.done) {
            self.write_front();
        }
    }

    fn write_front(&mut self) {
        let Some(entry) = self.entries.pop_front() else {
            return;
        };
        if self.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut self.out, &entry.record)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"));
        self.failed = written.err();
    }
}

impl<W: Write> Observer for RequestLog<W> {
    fn arrived(&mut self, arrival: &Arrival) {
        let record = Record {
            id: arrival.id.0,
            session: arrival.origin.session.0,
            turn: arrival.origin.turn,
            arrival_ms: arrival.at.as_ms(),
            input_tokens: arrival.prompt.tokens(),
            output_tokens: arrival.output_tokens,
            first_admission_ms: None,
            first_token_ms: None,
            completion_ms: None,
            reused_tokens: 0,
            ttft_ms: None,
            tpot_ms: None,
            e2e_latency_ms: None,
            prefill_worker: None,
            decode_worker: None,
            rejected: None,
            sla_met: (!self.sla.is_empty()).then_some(false),
        };
        let entry = Entry {
            record,
            arrived: arrival.at,
            first_token: arrival.at,
            admitted: [false; 2],
            done: false,
        };
        self.entries.insert(arrival.id, entry);
    }

    fn rejected(&mut self, _at: SimTime, request: RequestId, why: Rejection) {
        if let Some(entry) = self.entries.get_mut(request) {
            entry.record.rejected = Some(why.to_string());
        }
        self.end(request);
    }

    fn dispatched(&mut self, _at: SimTime, pool: Pool, dispatch: &Dispatch) {
        if let Some(entry) = self.entries.get_mut(dispatch.request) {
            let worker = match pool {
                Pool::Prefill => &mut entry.record.prefill_worker,
                Pool::Decode => &mut entry.record.decode_worker,
            };
            *worker = Some(dispatch.worker.0);
        }
    }

    fn admitted(&mut self, worker: WorkerRef, admitted: Admitted) {
        let Some(entry) = self.entries.get_mut(admitted.request) else {
            return;
        };
        let record = &mut entry.record;
        record.first_admission_ms.get_or_insert(admitted.at.as_ms());
        let seen = &mut entry.admitted[usize::from(worker.pool == Pool::Decode)];
        if !std::mem::replace(seen, true) {
            record.reused_tokens = record.reused_tokens.max(admitted.cached_tokens);
        }
    }

    fn first_token(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(entry) = self.entries.get_mut(request) {
            entry.first_token = stamp.at;
            entry.record.first_token_ms = Some(stamp.at.as_ms());
            let ttft = stamp.at.saturating_since(entry.arrived);
            entry.record.ttft_ms = Some(ttft.as_ms());
        }
    }

    fn completed(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(entry) = self.entries.get_mut(request) {
            let latency = Latency {
                ttft: entry.first_token.saturating_since(entry.arrived),
                e2e: stamp.at.saturating_since(entry.arrived),
                output_tokens: entry.record.output_tokens,
            };
            let record = &mut entry.record;
            record.completion_ms = Some(stamp.at.as_ms());
            record.e2e_latency_ms = Some(latency.e2e.as_ms());
            record.tpot_ms = latency.tpot_ns().map(|ns| ns / 1e6);
            if let Some(met) = &mut record.sla_met {
                *met = self.sla.met(latency).all();
            }
        }
        self.end(request);
    }

    fn finished(&mut self, _end: &RunEnd) {
        while self.entries.front().is_some() {
            self.write_front();
        }
    }
}
