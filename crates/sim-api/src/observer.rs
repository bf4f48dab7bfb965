//! The seam to whoever watches a run: reports, progress bars, logs.

use sim_core::SimTime;

use crate::{
    Admitted, Arrival, CoverageTally, Dispatch, PassRun, Pool, Preempted, Rejection, RequestId,
    ScalingEvent, Stamp, TickRecord, TokenGaps, WorkerLoad, WorkerProfile, WorkerRef,
};

/// A step in a worker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerChange {
    /// It was asked for and starts up.
    Starting,
    /// It takes requests.
    Ready,
    /// Its start was cancelled.
    Cancelled,
    /// It takes no more requests.
    Draining,
    /// It is gone.
    Gone,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// The last event.
    pub at: SimTime,
    /// Requests that never finished.
    pub unfinished: u64,
    /// Busy time by coverage, all workers.
    pub coverage: CoverageTally,
}

/// Receives everything a report may want. All methods default to doing nothing.
///
/// Calls about one worker come in order of time; calls about different workers
/// may interleave in any order, since engines run ahead where nothing can see
/// it. In a disaggregated deployment the tokens of prefill workers are hidden:
/// token calls come from the decode pool only, admissions from both.
pub trait Observer {
    /// A pool exists. Called once a pool before anything else.
    fn pool(&mut self, _pool: Pool, _profile: &WorkerProfile) {}
    /// A request arrives.
    fn arrived(&mut self, _arrival: &Arrival) {}
    /// A request that can never run was turned away at `at`.
    fn rejected(&mut self, _at: SimTime, _request: RequestId, _why: Rejection) {}
    /// A request was sent to a worker.
    fn dispatched(&mut self, _at: SimTime, _pool: Pool, _dispatch: &Dispatch) {}
    /// A request was admitted by an engine.
    fn admitted(&mut self, _worker: WorkerRef, _admitted: Admitted) {}
    /// A request was preempted.
    fn preempted(&mut self, _worker: WorkerRef, _preempted: Preempted) {}
    /// A prefill worker has finished a prompt (disaggregated only).
    fn prefilled(&mut self, _worker: WorkerRef, _stamp: Stamp, _request: RequestId) {}
    /// A request's first token.
    fn first_token(&mut self, _worker: WorkerRef, _stamp: Stamp, _request: RequestId) {}
    /// A request's second token.
    fn second_token(&mut self, _worker: WorkerRef, _stamp: Stamp, _request: RequestId) {}
    /// A request's last token.
    fn completed(&mut self, _worker: WorkerRef, _stamp: Stamp, _request: RequestId) {}
    /// Gaps between tokens.
    fn gaps(&mut self, _worker: WorkerRef, _gaps: &TokenGaps<'_>) {}
    /// Passes; only if [`Observer::wants_passes`] or the scaling policy wants them.
    fn passes(&mut self, _worker: WorkerRef, _run: &PassRun<'_>) {}
    /// Whether [`Observer::passes`] is wanted.
    fn wants_passes(&self) -> bool {
        false
    }
    /// A worker's life changed.
    fn worker(&mut self, _at: SimTime, _worker: WorkerRef, _change: WorkerChange) {}
    /// A worker's load at a planner tick or at another sampling instant.
    fn load(&mut self, _at: SimTime, _worker: WorkerRef, _load: &WorkerLoad) {}
    /// The scaling policy was asked.
    fn tick(&mut self, _record: &TickRecord) {}
    /// The number of workers was changed.
    fn scaled(&mut self, _event: &ScalingEvent) {}
    /// The run is over.
    fn finished(&mut self, _end: &RunEnd) {}
}
