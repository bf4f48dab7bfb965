//! Step times of one model: what an engine pays for each, inside and beyond the measured range, and what binding costs.

use std::hint::black_box;

use aic_perf::table::PerfTables;
use aic_perf::{AicConfig, AicEngine, AicStepModel};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use sim_api::{DecodeStep, PrefillStep, StepTimeModel};

const MODELS: [(&str, &str, &str, u32); 4] = [
    ("h200", "vllm", "nvidia/Llama-3.1-8B-Instruct-FP8", 1),
    ("b200", "vllm", "Qwen/Qwen3-32B", 4),
    ("h200", "sglang", "openai/gpt-oss-120b", 4),
    ("h200", "sglang", "deepseek-ai/DeepSeek-V3", 8),
];

fn steps(criterion: &mut Criterion) {
    for (system, backend, model, tp) in MODELS {
        let mut config = AicConfig::new(system, backend, model);
        config.tp = tp;
        config.moe_ep = Some(tp);
        let name = format!(
            "{} {system} {backend}",
            model.rsplit('/').next().unwrap_or(model)
        );
        let mut group = criterion.benchmark_group(name);
        let tables = PerfTables::embedded(&full_name(system), backend).expect("built in");
        group.bench_function("bind", |bencher| {
            bencher.iter(|| AicEngine::with_tables(&config, &tables));
        });
        let engine = AicEngine::with_tables(&config, &tables).expect("a known model");
        group.bench_function("decode row of a new batch", |bencher| {
            bencher.iter_batched_ref(
                || AicEngine::with_tables(&config, &tables).expect("a known model"),
                |engine| engine.decode(37, 900).map(|time| time.ms),
                criterion::BatchSize::PerIteration,
            );
        });
        let mut steps = AicStepModel::new(engine);
        decode(&mut group, &mut steps);
        prefill(&mut group, &mut steps);
        group.finish();
    }
}

fn full_name(system: &str) -> String {
    format!("{system}_sxm")
}

fn decode(group: &mut BenchmarkGroup<'_, WallTime>, steps: &mut AicStepModel) {
    for (name, batch, from) in [
        ("decode, next context", 37, 900),
        ("decode, context beyond", 37, 3_000_000),
        ("decode, batch beyond", 2000, 9000),
    ] {
        let mut context = from;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                context = if context > from + 4000 {
                    from
                } else {
                    context + 1
                };
                let step = DecodeStep {
                    batch,
                    active_kv_tokens: 0,
                    context,
                    kv_capacity_tokens: 0,
                };
                black_box(steps.decode(step)).map(|time| time.ms)
            });
        });
    }
}

fn prefill(group: &mut BenchmarkGroup<'_, WallTime>, steps: &mut AicStepModel) {
    for (name, from) in [("prefill", 1000), ("prefill, beyond", 3_000_000)] {
        let mut isl = from;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                isl = if isl > from + 4000 { from } else { isl + 1 };
                let step = PrefillStep {
                    batch: 2,
                    isl,
                    prefix: 300,
                };
                black_box(steps.prefill(step)).map(|time| time.ms)
            });
        });
    }
}

fn loading(criterion: &mut Criterion) {
    criterion.bench_function("tables of h200 with vllm", |bencher| {
        bencher.iter(|| PerfTables::embedded("h200_sxm", "vllm"));
    });
}

criterion_group!(benches, steps, loading);
criterion_main!(benches);
