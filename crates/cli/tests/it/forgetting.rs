//! A trace that is read while it is played forgets prompts, and nobody can tell.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kv_router::{RouterMode, RouterSettings, Side};
use mocker::{Factory, PoolEngines, Preemption, Scheduler, VllmConfig};
use replay::{Deployment, DigestObserver, KvTransfer, Parts, PoolSpec, RunSpec, Simulation};
use sim_api::{Arrival, Quirks, RequestId, Role, SegmentId, Workload, WorkloadError};
use sim_core::{SimDuration, SimTime};
use trace::{Load, Pacing, StreamedTrace, Trace, TraceOptions, Window, WorkloadSpec};

const ROWS: u64 = 12_000;

/// Prompts of one to five ids; the first is one of fifty, the rest seldom come
/// again, and when they do it is soon or late.
fn rows() -> String {
    let (mut text, mut state) = (String::new(), 12_345_u64);
    for row in 0..ROWS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let draw = state >> 33;
        let (own, again) = (draw % 5, (draw >> 20) % 4 == 0);
        let chain = if again {
            row - row.min((draw >> 8) % 3_000)
        } else {
            row
        };
        let ids: Vec<u64> = std::iter::once(draw % 50)
            .chain((0..own).map(|id| 1_000 + chain * 8 + id))
            .collect();
        let (isl, osl) = (ids.len() * 512 - (draw % 400) as usize, 4 + draw % 12);
        writeln!(
            text,
            r#"{{"timestamp": {}, "input_length": {isl}, "output_length": {osl}, "hash_ids": {ids:?}}}"#,
            row * 40
        )
        .unwrap();
    }
    text
}

/// Counts how often a workload is told what it may forget.
struct Counted {
    inner: Box<dyn Workload>,
    times: Arc<AtomicU32>,
}

impl Workload for Counted {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        self.inner.next_arrival()
    }
    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        self.inner.release(now, slots, out)
    }
    fn on_complete(&mut self, now: SimTime, request: RequestId) {
        self.inner.on_complete(now, request);
    }
    fn reacts(&self) -> bool {
        self.inner.reacts()
    }
    fn len_hint(&self) -> Option<u64> {
        self.inner.len_hint()
    }
    fn wants_to_forget(&self) -> bool {
        self.inner.wants_to_forget()
    }
    fn forget_others(&mut self, known: Vec<SegmentId>) {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.inner.forget_others(known);
    }
}

fn engines() -> Factory {
    let config = VllmConfig {
        role: Role::Aggregated,
        block_tokens: 64,
        blocks: 2_000,
        max_sequences: Some(64),
        max_batched_tokens: Some(8_192),
        max_model_tokens: None,
        prefix_caching: true,
        chunked_prefill: true,
        prefill_speedup: 1.0,
        decode_speedup: 1.0,
        preemption: Preemption::Lifo,
        speculation: None,
        quirks: Quirks::NONE,
    };
    Factory::aggregated(PoolEngines {
        scheduler: Scheduler::Vllm(config),
        gpus: 1,
        model: Arc::new(|| Box::new(aic_perf::PolynomialModel)),
    })
}

/// Digest of a run over four workers, and how often prompts were forgotten.
fn run(load: Load, mode: RouterMode, lag_ms: u64) -> (u64, u32) {
    let spec = WorkloadSpec {
        load,
        pacing: Pacing::Arrivals { speedup: 1.0 },
        window: Window::default(),
        engine_block_size: 64,
        quirks: Quirks::NONE,
    };
    let times = Arc::new(AtomicU32::new(0));
    let workload = Counted {
        inner: spec.build().unwrap(),
        times: Arc::clone(&times),
    };
    let mut digest = DigestObserver::default();
    let run = RunSpec {
        deployment: Deployment {
            prefill: None,
            decode: PoolSpec {
                workers: 4,
                startup: SimDuration::ZERO,
            },
            transfer: KvTransfer::free(),
        },
        concurrency: None,
        quirks: Quirks::NONE,
        kv_event_lag: SimDuration::from_ns(lag_ms * 1_000_000),
        load_sampling: None,
    };
    let parts = Parts {
        workload: Box::new(workload),
        engines: &engines(),
        prefill_router: None,
        decode_router: mode.build(Side::Aggregated, RouterSettings::default()),
        policy: None,
        observer: &mut digest,
    };
    Simulation::new(run, parts).run().unwrap();
    (digest.value(), times.load(Ordering::Relaxed))
}

#[test]
fn forgotten_prompts_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path: &Path = &dir.path().join("long.jsonl");
    std::fs::write(path, rows()).unwrap();
    let options = TraceOptions::default();
    let whole = Arc::new(Trace::open(path, &options).unwrap());
    let streamed = StreamedTrace::scan(path, &options).unwrap().unwrap();
    for (mode, lag_ms) in [
        (RouterMode::RoundRobin, 0),
        (RouterMode::KvRouter, 0),
        (RouterMode::KvRouter, 700),
        (RouterMode::PrefixOnly, 0),
    ] {
        let (kept, never) = run(Load::Trace(Arc::clone(&whole)), mode, lag_ms);
        let (forgot, times) = run(Load::Streamed(streamed.clone()), mode, lag_ms);
        assert_eq!(never, 0);
        assert!(times > 0, "{mode}: nothing was forgotten");
        assert_eq!(kept, forgot, "{mode}, {lag_ms} ms");
    }
}
