//! A long, hand-made planner run that has something of everything.

use std::collections::BTreeMap;

use report::{Collector, CollectorOptions, FanOut, SlaTargets, Summary, Timeline};
use sim_api::{
    Admitted, CoverageTally, Dispatch, EngineLoadRecord, Observer, Overlap, PassDurations, Pool,
    Preempted, Rejection, RequestId, RunEnd, ScalingEvent, Targets, TickRecord, TokenGaps,
    WorkerChange, WorkerId, WorkerLoad, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

use crate::stream::{arrival, profile, stamp};

const SECOND: u64 = 1_000_000_000;

/// What is said where a run's own words are shown.
pub(crate) struct Words {
    pub(crate) reason: String,
}

/// A run of `seconds` with a wave of load that outgrows its workers.
pub(crate) fn busy_run(disaggregated: bool, seconds: u64, words: &Words) -> (Summary, Timeline) {
    let sla = SlaTargets {
        ttft: Some(SimDuration::from_ns(1_500_000_000)),
        itl: Some(SimDuration::from_ns(50_000_000)),
        e2e: None,
    };
    let mut collector = Collector::new(CollectorOptions {
        sla,
        ..CollectorOptions::default()
    });
    let mut timeline = Timeline::new(sla);
    {
        let mut all = FanOut::new();
        all.add(&mut collector);
        all.add(&mut timeline);
        tell(disaggregated, seconds, words, &mut all);
    }
    (collector.summary(), timeline)
}

/// Load between 0 and 1: a slow wave and a burst.
fn wave(at_s: u64, seconds: u64) -> f64 {
    let phase = at_s as f64 / seconds as f64;
    let burst = if (0.55..0.7).contains(&phase) {
        0.45
    } else {
        0.0
    };
    0.3 + 0.25 * (phase * 12.0).sin() + burst
}

fn tell(disaggregated: bool, seconds: u64, words: &Words, all: &mut dyn Observer) {
    let worker = |pool, id| WorkerRef {
        pool,
        id: WorkerId(id),
    };
    if disaggregated {
        all.pool(Pool::Prefill, &profile());
        all.worker(SimTime::ZERO, worker(Pool::Prefill, 0), WorkerChange::Ready);
    }
    all.pool(Pool::Decode, &profile());
    for id in 0..2 {
        all.worker(SimTime::ZERO, worker(Pool::Decode, id), WorkerChange::Ready);
    }
    let mut id = 0;
    for at_s in 0..seconds {
        let load = wave(at_s, seconds);
        for part in 0..(1.0 + load * 6.0) as u64 {
            let arrives = at_s * SECOND + part * SECOND / 7;
            request(id, arrives, load, disaggregated, all);
            id += 1;
        }
        if at_s.is_multiple_of(10) {
            tick(at_s, load, disaggregated, words, all);
        }
    }
    let end = SimTime::from_ns((seconds + 9) * SECOND);
    all.finished(&RunEnd {
        at: end,
        unfinished: 2,
        coverage: CoverageTally {
            measured: SimDuration::from_ns(40 * SECOND),
            interpolated: SimDuration::from_ns(300 * SECOND),
            extrapolated: SimDuration::from_ns(3 * SECOND),
            ..CoverageTally::default()
        },
    });
}

fn request(id: u32, arrives: u64, load: f64, disaggregated: bool, all: &mut dyn Observer) {
    let jitter = u64::from(id.wrapping_mul(2_654_435_761) >> 16) * 10_000;
    let (input_tokens, output_tokens) = (2000 + (id % 7) * 900, 40);
    let request = RequestId(id);
    all.arrived(&arrival(id, arrives, input_tokens, output_tokens));
    if id % 977 == 5 {
        let why = Rejection::PoolTooSmall {
            needed: 9000,
            available: 100,
        };
        return all.rejected(SimTime::from_ns(arrives), request, why);
    }
    let pools: &[Pool] = if disaggregated {
        &[Pool::Prefill, Pool::Decode]
    } else {
        &[Pool::Decode]
    };
    let decode = WorkerId((id / 3) % 2);
    for &pool in pools {
        let worker = WorkerRef {
            pool,
            id: match pool {
                Pool::Prefill => WorkerId(0),
                Pool::Decode => decode,
            },
        };
        // One in five waits for half of the time to its admission.
        let waits = if id.is_multiple_of(5) { jitter / 4 } else { 0 };
        let handed_over = match pool {
            Pool::Decode if disaggregated => jitter,
            _ => 0,
        };
        let sent = Dispatch {
            request,
            worker: worker.id,
            overlap: (pool == pools[0]).then_some(Overlap {
                blocks: id % 7,
                best_blocks: 7,
                isl_blocks: 20,
            }),
        };
        all.dispatched(SimTime::from_ns(arrives + waits + handed_over), pool, &sent);
        let admitted = Admitted {
            request,
            at: SimTime::from_ns(arrives + jitter / 2),
            cached_tokens: input_tokens / 3,
            again: false,
        };
        all.admitted(worker, admitted);
        if pool == Pool::Prefill {
            all.prefilled(worker, stamp(arrives + jitter), request);
        }
    }
    let worker = WorkerRef {
        pool: Pool::Decode,
        id: decode,
    };
    let overload = (load - 0.75).max(0.0) * 2e10;
    let first = arrives + jitter + 200_000_000 + overload as u64;
    let each = 12_000_000 + (load * 3e7) as u64 + jitter / 100;
    all.first_token(worker, stamp(first), request);
    all.second_token(worker, stamp(first + each), request);
    if id.is_multiple_of(50) {
        let at = SimTime::from_ns(first + 2 * each);
        all.preempted(worker, Preempted { request, at });
    }
    let passes = output_tokens - 1;
    all.gaps(
        worker,
        &TokenGaps {
            start: SimTime::from_ns(first),
            requests: 1,
            durations: PassDurations::Constant {
                each: SimDuration::from_ns(each),
                passes,
            },
        },
    );
    all.completed(worker, stamp(first + each * u64::from(passes)), request);
}

/// What the planner tells of a tick.
fn values(at_s: u64, load: f64) -> BTreeMap<&'static str, f64> {
    let steady = |value: f64| value + f64::from((at_s / 300) as u32);
    [
        ("observed_rps", 1.0 + load * 6.0),
        ("predicted_rps", steady(2.0)),
        ("observed_ttft_ms", 200.0 + load * 3000.0),
        ("observed_itl_ms", 12.0 + load * 30.0),
        ("estimated_ttft_ms", 100.0 + load * 2500.0),
        ("estimated_itl_ms", 11.0 + load * 35.0),
        ("observed_isl", 4700.0),
        ("predicted_isl", 4600.0),
        ("observed_osl", 40.0),
        ("predicted_osl", 41.0),
        ("observed_kv_hit_rate", 0.33),
        ("engine_rps_prefill", 2.0),
        ("engine_rps_decode", 3.1),
        ("lower_bound_decode", steady(1.0)),
        ("gpu_hours", at_s as f64 / 1200.0),
    ]
    .into()
}

fn tick(at_s: u64, load: f64, disaggregated: bool, words: &Words, all: &mut dyn Observer) {
    let at = SimTime::from_ns(at_s * SECOND);
    let ready = 2 + u32::from(load > 0.6) + 2 * u32::from(load > 0.8);
    let prefill = disaggregated.then_some(1);
    let mut engines = Vec::new();
    for id in 0..ready {
        let loaded = WorkerLoad {
            waiting: ((load - 0.6).max(0.0) * 80.0) as u32,
            running: 5 + (load * 60.0) as u32,
            active_blocks: (load * 90.0) as u32,
            inactive_blocks: 100 - (load * 90.0) as u32,
            total_blocks: 100,
        };
        let pools = prefill
            .map(|_| Pool::Prefill)
            .into_iter()
            .chain([Pool::Decode]);
        for pool in pools {
            let worker = WorkerId(id);
            all.load(at, WorkerRef { pool, id: worker }, &loaded);
            engines.push(EngineLoadRecord {
                pool,
                worker,
                queued_prefill_tokens: u64::from(loaded.waiting) * 3000,
                queued_decode_kv_tokens: 100,
                inflight_decode_kv_tokens: u64::from(loaded.active_blocks) * 16,
            });
        }
    }
    let load_reason = match load {
        load if load > 0.8 => "scale_up",
        load if load < 0.1 => "scale_down",
        load if load < 0.2 => "scale_down_capped_by_throughput",
        _ => "no_change",
    };
    let keys = ["load", "load_prefill", "load_decode"];
    let reasons = keys.map(|key| (key, load_reason.to_owned())).into_iter();
    let throughput = ["throughput", "throughput_prefill", "throughput_decode"];
    let throughput = throughput.map(|key| (key, "set_lower_bound".to_owned()));
    all.tick(&TickRecord {
        tick: at_s / 10,
        due: at,
        at,
        prefill_ready: prefill,
        decode_ready: ready,
        values: values(at_s, load),
        reasons: reasons.chain(throughput).collect(),
        engines,
        targets: (load > 0.8).then_some(Targets {
            prefill,
            decode: Some(5),
        }),
    });
    if load > 0.8 && at_s.is_multiple_of(100) {
        scale(at, at_s, disaggregated, words, all);
    }
}

fn scale(at: SimTime, at_s: u64, disaggregated: bool, words: &Words, all: &mut dyn Observer) {
    all.scaled(&ScalingEvent {
        at,
        component: if disaggregated { "decode" } else { "agg" },
        from: 2,
        to: 3,
        reason: words.reason.clone(),
    });
    let worker = WorkerRef {
        pool: Pool::Decode,
        id: WorkerId(10 + (at_s / 100) as u32),
    };
    let later = |s: u64| SimTime::from_ns(at.as_ns() + s * SECOND);
    all.worker(at, worker, WorkerChange::Starting);
    all.worker(later(60), worker, WorkerChange::Ready);
    all.worker(later(400), worker, WorkerChange::Draining);
    all.worker(later(430), worker, WorkerChange::Gone);
}
