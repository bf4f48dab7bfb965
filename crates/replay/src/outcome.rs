//! What engines report, on its way to observers and to the loop.

use sim_api::{
    Admitted, EngineSink, KvChange, Observer, PassRow, PassRun, Pool, Preempted, RequestId, Stamp,
    TokenGaps, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

/// Something an engine reported that the loop may have to act on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) stamp: Stamp,
    pub(crate) worker: WorkerRef,
    pub(crate) kind: OutcomeKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OutcomeKind {
    /// First token; `last` if the request ended with it.
    FirstToken { request: RequestId, last: bool },
    /// Last token.
    Completed { request: RequestId },
    /// The cache changed.
    Kv { change: KvChange },
}

/// Brings outcomes into the one order of an instant: pass ends by pass start,
/// pool, worker; one worker's outcomes stay as it told them.
pub(crate) fn sort_by_instant(outcomes: &mut [Outcome]) {
    outcomes.sort_by_key(|outcome| (outcome.stamp, outcome.worker));
}

/// The sink of one worker.
pub(crate) struct WorkerSink<'a> {
    pub(crate) worker: WorkerRef,
    /// Tokens of prefill workers are not what users see.
    pub(crate) hidden: bool,
    /// Whether the loop acts on first tokens.
    pub(crate) watch_first: bool,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) outcomes: &'a mut Vec<Outcome>,
    /// Pass records for the scaling policy, if there is one.
    pub(crate) rows: Option<&'a mut Vec<PassRow>>,
}

impl WorkerSink<'_> {
    fn push(&mut self, stamp: Stamp, kind: OutcomeKind) {
        self.outcomes.push(Outcome {
            stamp,
            worker: self.worker,
            kind,
        });
    }

    /// Marks the first token of `request` as its last if both came at `stamp`.
    fn join_first_and_last(&mut self, stamp: Stamp, ended: RequestId) {
        let same_pass = self
            .outcomes
            .iter_mut()
            .rev()
            .take_while(|outcome| outcome.stamp == stamp && outcome.worker == self.worker);
        for outcome in same_pass {
            if let OutcomeKind::FirstToken { request, last } = &mut outcome.kind
                && *request == ended
            {
                *last = true;
                return;
            }
        }
    }
}

impl EngineSink for WorkerSink<'_> {
    fn admitted(&mut self, admitted: Admitted) {
        self.observer.admitted(self.worker, admitted);
    }

    fn preempted(&mut self, preempted: Preempted) {
        self.observer.preempted(self.worker, preempted);
    }

    fn first_token(&mut self, stamp: Stamp, request: RequestId) {
        if !self.hidden {
            self.observer.first_token(self.worker, stamp, request);
        }
        if self.watch_first {
            self.push(
                stamp,
                OutcomeKind::FirstToken {
                    request,
                    last: false,
                },
            );
        }
    }

    fn second_token(&mut self, stamp: Stamp, request: RequestId) {
        if !self.hidden {
            self.observer.second_token(self.worker, stamp, request);
        }
    }

    fn completed(&mut self, stamp: Stamp, request: RequestId) {
        if self.hidden {
            self.observer.prefilled(self.worker, stamp, request);
        } else {
            self.observer.completed(self.worker, stamp, request);
        }
        if self.watch_first {
            self.join_first_and_last(stamp, request);
        }
        self.push(stamp, OutcomeKind::Completed { request });
    }

    fn gaps(&mut self, gaps: TokenGaps<'_>) {
        if !self.hidden {
            self.observer.gaps(self.worker, &gaps);
        }
    }

    fn passes(&mut self, run: PassRun<'_>) {
        self.observer.passes(self.worker, &run);
        if let Some(rows) = self.rows.as_deref_mut() {
            expand(self.worker, &run, rows);
        }
    }

    fn kv(&mut self, stamp: Stamp, change: KvChange) {
        self.push(stamp, OutcomeKind::Kv { change });
    }
}

/// One row a pass.
fn expand(worker: WorkerRef, run: &PassRun<'_>, rows: &mut Vec<PassRow>) {
    let mut start: SimTime = run.start;
    let mut record = run.first;
    for index in 0..run.durations.passes() {
        if index > 0 {
            record.decode_contexts.shift(1);
        }
        let duration: SimDuration = run.durations.get(index);
        rows.push(PassRow {
            worker: worker.id,
            start,
            duration,
            record,
        });
        start += duration;
    }
}

/// Whether the tokens of a pool are hidden from observers.
pub(crate) fn is_hidden(pool: Pool) -> bool {
    pool == Pool::Prefill
}
