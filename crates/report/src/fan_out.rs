//! Several observers of one run.

use sim_api::{
    Admitted, Arrival, Dispatch, Observer, PassRun, Pool, Preempted, Rejection, RequestId, RunEnd,
    ScalingEvent, Stamp, TickRecord, TokenGaps, WorkerChange, WorkerLoad, WorkerProfile, WorkerRef,
};
use sim_core::SimTime;

/// Tells every observer everything, in the order in which they were added.
///
/// ```
/// use report::{Collector, CollectorOptions, FanOut};
/// let mut one = Collector::new(CollectorOptions::default());
/// let mut two = Collector::new(CollectorOptions::default());
/// let mut all = FanOut::new();
/// all.add(&mut one);
/// all.add(&mut two);
/// ```
#[derive(Default)]
pub struct FanOut<'a> {
    observers: Vec<&'a mut dyn Observer>,
}

impl<'a> FanOut<'a> {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn add(&mut self, observer: &'a mut dyn Observer) {
        self.observers.push(observer);
    }

    fn tell(&mut self, mut what: impl FnMut(&mut dyn Observer)) {
        for observer in &mut self.observers {
            what(&mut **observer);
        }
    }
}

impl Observer for FanOut<'_> {
    fn pool(&mut self, pool: Pool, profile: &WorkerProfile) {
        self.tell(|one| one.pool(pool, profile));
    }

    fn arrived(&mut self, arrival: &Arrival) {
        self.tell(|one| one.arrived(arrival));
    }

    fn rejected(&mut self, at: SimTime, request: RequestId, why: Rejection) {
        self.tell(|one| one.rejected(at, request, why));
    }

    fn dispatched(&mut self, at: SimTime, pool: Pool, dispatch: &Dispatch) {
        self.tell(|one| one.dispatched(at, pool, dispatch));
    }

    fn admitted(&mut self, worker: WorkerRef, admitted: Admitted) {
        self.tell(|one| one.admitted(worker, admitted));
    }

    fn preempted(&mut self, worker: WorkerRef, preempted: Preempted) {
        self.tell(|one| one.preempted(worker, preempted));
    }

    fn prefilled(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.tell(|one| one.prefilled(worker, stamp, request));
    }

    fn first_token(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.tell(|one| one.first_token(worker, stamp, request));
    }

    fn second_token(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.tell(|one| one.second_token(worker, stamp, request));
    }

    fn completed(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.tell(|one| one.completed(worker, stamp, request));
    }

    fn gaps(&mut self, worker: WorkerRef, gaps: &TokenGaps<'_>) {
        self.tell(|one| one.gaps(worker, gaps));
    }

    fn passes(&mut self, worker: WorkerRef, run: &PassRun<'_>) {
        self.tell(|one| one.passes(worker, run));
    }

    fn wants_passes(&self) -> bool {
        self.observers.iter().any(|one| one.wants_passes())
    }

    fn worker(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        self.tell(|one| one.worker(at, worker, change));
    }

    fn load(&mut self, at: SimTime, worker: WorkerRef, load: &WorkerLoad) {
        self.tell(|one| one.load(at, worker, load));
    }

    fn tick(&mut self, record: &TickRecord) {
        self.tell(|one| one.tick(record));
    }

    fn scaled(&mut self, event: &ScalingEvent) {
        self.tell(|one| one.scaled(event));
    }

    fn finished(&mut self, end: &RunEnd) {
        self.tell(|one| one.finished(end));
    }
}
