//! A digest of everything that users of a run would have seen.

use sim_api::{
    Admitted, Arrival, Observer, PassDurations, Pool, Preempted, Rejection, RequestId, Stamp,
    TokenGaps, WorkerRef,
};
use sim_core::{EventDigest, SimTime};

/// Digests a run. Equal digests mean the same admissions, preemptions, tokens
/// and gaps of the same requests on the same workers at the same nanoseconds,
/// however many passes an engine reported at once.
#[derive(Clone, Debug, Default)]
pub struct DigestObserver {
    digest: EventDigest,
}

impl DigestObserver {
    /// The digest so far.
    pub fn value(&self) -> u64 {
        self.digest.value()
    }

    fn add(&mut self, kind: u64, worker: WorkerRef, at: SimTime, rest: [u64; 2]) {
        let worker = worker_word(worker);
        self.digest
            .add(&[kind, worker, at.as_ns(), rest[0], rest[1]]);
    }
}

fn worker_word(worker: WorkerRef) -> u64 {
    u64::from(worker.id.0) << 1 | u64::from(worker.pool == Pool::Decode)
}

impl Observer for DigestObserver {
    fn arrived(&mut self, arrival: &Arrival) {
        let words = [
            1,
            u64::from(arrival.id.0),
            arrival.at.as_ns(),
            u64::from(arrival.prompt.tokens()),
            u64::from(arrival.output_tokens),
        ];
        self.digest.add(&words);
    }

    fn rejected(&mut self, at: SimTime, request: RequestId, _why: Rejection) {
        self.digest.add(&[2, at.as_ns(), u64::from(request.0)]);
    }

    fn admitted(&mut self, worker: WorkerRef, admitted: Admitted) {
        let rest = [
            u64::from(admitted.request.0),
            u64::from(admitted.cached_tokens),
        ];
        self.add(3, worker, admitted.at, rest);
    }

    fn preempted(&mut self, worker: WorkerRef, preempted: Preempted) {
        let rest = [u64::from(preempted.request.0), 0];
        self.add(4, worker, preempted.at, rest);
    }

    fn prefilled(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.add(5, worker, stamp.at, [u64::from(request.0), 0]);
    }

    fn first_token(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.add(6, worker, stamp.at, [u64::from(request.0), 0]);
    }

    fn second_token(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.add(7, worker, stamp.at, [u64::from(request.0), 0]);
    }

    fn completed(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.add(8, worker, stamp.at, [u64::from(request.0), 0]);
    }

    fn gaps(&mut self, worker: WorkerRef, gaps: &TokenGaps<'_>) {
        let worker = worker_word(worker);
        let requests = u64::from(gaps.requests);
        match gaps.durations {
            PassDurations::Constant { each, passes } => {
                let count = requests * u64::from(passes);
                self.digest.add_many(&[9, worker, each.as_ns()], count);
            }
            PassDurations::Row { values, .. } => {
                for &ns in values {
                    self.digest.add_many(&[9, worker, ns], requests);
                }
            }
        }
    }
}
