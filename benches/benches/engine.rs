//! vLLM engines on the prompts and outputs of a real trace: four workers, round robin.
//!
//! Skipped where the trace is not at hand.

use std::hint::black_box;
use std::sync::Arc;

use aic_perf::{AicConfig, AicEngine, AicStepModel, PolynomialModel};
use criterion::{Criterion, criterion_group, criterion_main};
use mocker::{Factory, PoolEngines, Scheduler, Speculation, VllmConfig};
use sim_api::{
    Compat, Coverage, DecodeAxis, DecodeStep, EngineFactory, EngineRequest, EngineSink, Feeds,
    KvRun, Limit, Pool, PrefillStep, Prompt, RequestId, Role, SegmentId, Stamp, StepTime,
    StepTimeError, StepTimeModel, TokenGaps, WorkerId,
};
use sim_core::SimTime;

const TRACE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/traces/conversation_trace.jsonl"
);
const TRACE_BLOCK: u32 = 512;
const WORKERS: usize = 4;

/// Counts what it is told, so that nothing is optimised away.
#[derive(Default)]
struct Counter {
    completed: u64,
    gaps: u64,
    calls: u64,
    last: SimTime,
}

impl EngineSink for Counter {
    fn completed(&mut self, stamp: Stamp, _: RequestId) {
        self.completed += 1;
        self.last = self.last.max(stamp.at);
    }

    fn gaps(&mut self, gaps: TokenGaps<'_>) {
        self.calls += 1;
        self.gaps += u64::from(gaps.requests) * u64::from(gaps.durations.passes());
    }
}

/// A model of the shape of a table model: by batch and mean context.
struct ContextModel;

impl StepTimeModel for ContextModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        PolynomialModel.prefill(step)
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let tokens = f64::from(step.batch) * f64::from(step.context);
        Ok(StepTime {
            ms: 6.0 + 0.02 * f64::from(step.batch) + 6e-5 * tokens,
            coverage: Coverage::Interpolated,
        })
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Context
    }
}

/// Arrivals with prompts in blocks of `block_tokens`.
fn arrivals(text: &str, block_tokens: u32) -> Vec<(SimTime, EngineRequest)> {
    let per_id = TRACE_BLOCK / block_tokens;
    // An id stands for a whole prefix, so it and the place in it name a block.
    let mut known = std::collections::BTreeMap::new();
    let mut arrivals = Vec::new();
    for (number, line) in (0_u32..).zip(text.lines()) {
        let row: serde_json::Value = serde_json::from_str(line).expect("a JSON row");
        let number_of = |key: &str| row[key].as_u64().expect("a number");
        let tokens = number_of("input_length") as u32;
        let ids = row["hash_ids"].as_array().expect("hash ids");
        let mut runs: Vec<KvRun> = Vec::new();
        for block in 0..tokens / block_tokens {
            let id = ids[(block / per_id) as usize].as_u64();
            let segment = *known
                .entry((id, block % per_id))
                .or_insert(SegmentId(number));
            match runs.last_mut() {
                Some(run) if run.segment == segment => run.blocks += 1,
                _ => runs.push(KvRun { segment, blocks: 1 }),
            }
        }
        let request = EngineRequest {
            id: RequestId(number),
            prompt: Prompt::new(tokens, runs.into()),
            output_tokens: number_of("output_length") as u32,
        };
        let at = SimTime::from_ns(number_of("timestamp") * 1_000_000);
        arrivals.push((at, request));
    }
    arrivals
}

fn config(block_tokens: u32, accept_rates: &[f64]) -> VllmConfig {
    VllmConfig {
        role: Role::Aggregated,
        block_tokens,
        blocks: 16384 * 64 / block_tokens,
        max_sequences: Some(256),
        max_batched_tokens: Some(8192),
        max_model_tokens: None,
        prefix_caching: true,
        chunked_prefill: true,
        prefill_speedup: 1.0,
        decode_speedup: 1.0,
        preemption: mocker::Preemption::Lifo,
        speculation: (!accept_rates.is_empty()).then(|| Speculation {
            accept_rates: accept_rates.into(),
            seed: 42,
        }),
        quirks: Compat::V1_2_1.quirks(),
    }
}

fn run(arrivals: &[(SimTime, EngineRequest)], pool: PoolEngines, feeds: Feeds) -> Counter {
    let factory = Factory::aggregated(pool);
    let mut engines: Vec<_> = (0..WORKERS)
        .map(|id| factory.spawn(Pool::Decode, WorkerId(id as u32), feeds))
        .collect();
    let mut counter = Counter::default();
    for (index, (at, request)) in arrivals.iter().enumerate() {
        let engine = &mut engines[index % WORKERS];
        engine
            .advance(Limit::Before(*at), &mut counter)
            .expect("progress");
        black_box(engine.accept(*at, request.clone()));
    }
    for engine in &mut engines {
        engine
            .advance(Limit::Through(SimTime::MAX), &mut counter)
            .expect("progress");
    }
    counter
}

fn engine(criterion: &mut Criterion) {
    let Ok(text) = std::fs::read_to_string(TRACE) else {
        eprintln!("skipped: no {TRACE}");
        return;
    };
    let mut group = criterion.benchmark_group("engine/conversation, 4 workers");
    group.sample_size(20);
    for block_tokens in [64, 512] {
        let arrivals = arrivals(&text, block_tokens);
        let mut bench = |name: &str, model: mocker::ModelMaker, rates: &[f64], feeds: Feeds| {
            let name = format!("{name}, blocks of {block_tokens}");
            let pool = PoolEngines {
                scheduler: Scheduler::Vllm(config(block_tokens, rates)),
                gpus: 1,
                model,
            };
            let counter = run(&arrivals, pool.clone(), feeds);
            let Counter {
                completed,
                gaps,
                calls,
                last,
            } = counter;
            eprintln!("{name}: {completed} completed, {gaps} gaps in {calls} calls, end {last}");
            group.bench_function(name, |bencher| {
                bencher.iter(|| run(&arrivals, pool.clone(), feeds));
            });
        };
        let none = Feeds::default();
        let all = Feeds {
            passes: true,
            kv: true,
        };
        bench(
            "polynomial",
            Arc::new(|| Box::new(PolynomialModel)),
            &[],
            none,
        );
        bench(
            "rows by context",
            Arc::new(|| Box::new(ContextModel)),
            &[],
            none,
        );
        let tables = AicConfig::new("h200_sxm", "vllm", "nvidia/Llama-3.1-8B-Instruct-FP8");
        match AicEngine::new(&tables) {
            Ok(engine) => {
                let model = AicStepModel::new(engine);
                bench("AIC", Arc::new(move || Box::new(model.clone())), &[], none);
            }
            Err(error) => eprintln!("AIC skipped: {error}"),
        }
        bench(
            "polynomial, all feeds",
            Arc::new(|| Box::new(PolynomialModel)),
            &[],
            all,
        );
        let polynomial: mocker::ModelMaker = Arc::new(|| Box::new(PolynomialModel));
        bench("all drafts accepted", polynomial.clone(), &[1.0, 1.0], none);
        bench("drafts drawn", polynomial, &[0.85, 0.3], none);
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
