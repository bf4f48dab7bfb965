//! Event streams of runs given by when each token came.

use report::{Collector, CollectorOptions, Summary};
use sim_api::{
    Admitted, Arrival, CoverageTally, Observer, Origin, PassDurations, Pool, Prompt, RequestId,
    Role, RunEnd, SessionId, Stamp, TokenGaps, WorkerChange, WorkerId, WorkerProfile, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

/// A request by what happened to it, in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) arrival: u64,
    pub(crate) admitted: u64,
    pub(crate) reused: u32,
    pub(crate) input_tokens: u32,
    pub(crate) tokens: Vec<u64>,
}

pub(crate) const WORKER: WorkerRef = WorkerRef {
    pool: Pool::Decode,
    id: WorkerId(0),
};

pub(crate) fn at(ns: u64) -> SimTime {
    SimTime::from_ns(ns)
}

pub(crate) fn stamp(ns: u64) -> Stamp {
    Stamp {
        at: at(ns),
        pass_start: at(ns),
    }
}

pub(crate) fn profile() -> WorkerProfile {
    WorkerProfile {
        block_tokens: 16,
        blocks: 100,
        max_batched_tokens: Some(8192),
        max_sequences: None,
        role: Role::Aggregated,
        gpus: 1,
        draft_tokens: 0,
    }
}

/// A request that arrives, with a prompt of its own.
pub(crate) fn arrival(id: u32, ns: u64, input_tokens: u32, output_tokens: u32) -> Arrival {
    Arrival {
        id: RequestId(id),
        at: at(ns),
        prompt: Prompt::new(input_tokens, [].into()),
        output_tokens,
        origin: Origin {
            session: SessionId(id),
            turn: 0,
        },
        priority: 0,
    }
}

/// Tells `observer` the whole life of every request, gap by gap.
pub(crate) fn tell(requests: &[Request], observer: &mut dyn Observer) {
    observer.pool(Pool::Decode, &profile());
    observer.worker(SimTime::ZERO, WORKER, WorkerChange::Ready);
    let mut end = 0;
    for (index, request) in requests.iter().enumerate() {
        let output_tokens = request.tokens.len() as u32;
        let id = index as u32;
        observer.arrived(&arrival(
            id,
            request.arrival,
            request.input_tokens,
            output_tokens,
        ));
    }
    for (index, request) in requests.iter().enumerate() {
        let id = RequestId(index as u32);
        let admitted = Admitted {
            request: id,
            at: at(request.admitted),
            cached_tokens: request.reused,
            again: false,
        };
        observer.admitted(WORKER, admitted);
        for (token, &ns) in request.tokens.iter().enumerate() {
            end = end.max(ns);
            match token {
                0 => observer.first_token(WORKER, stamp(ns), id),
                1 => observer.second_token(WORKER, stamp(ns), id),
                _ => {}
            }
        }
        for pair in request.tokens.windows(2) {
            let gaps = TokenGaps {
                start: at(pair[0]),
                requests: 1,
                durations: PassDurations::Constant {
                    each: SimDuration::from_ns(pair[1] - pair[0]),
                    passes: 1,
                },
            };
            observer.gaps(WORKER, &gaps);
        }
        if let Some(&last) = request.tokens.last() {
            observer.completed(WORKER, stamp(last), id);
        }
    }
    observer.finished(&RunEnd {
        at: at(end),
        unfinished: 0,
        coverage: CoverageTally::default(),
    });
}

pub(crate) fn summary(requests: &[Request], options: CollectorOptions) -> Summary {
    let mut collector = Collector::new(options);
    tell(requests, &mut collector);
    collector.summary()
}
