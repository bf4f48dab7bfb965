//! Whole runs of the reference on a real trace: many requests, small pools,
//! thousands of preemptions. Skipped where the runs are not at hand.

use std::fs;
use std::path::{Path, PathBuf};

use mocker::{Implementation, ParsedArgs};
use serde::Deserialize;
use serde_json::Value;
use sim_api::{Quirks, RequestId, Role};
use sim_core::{SimDuration, SimTime};

use crate::driver::{Arriving, Workers, scheduler};
use crate::prompts::Interner;

/// The reference's default size of a trace block.
const TRACE_BLOCK: usize = 512;

#[derive(Deserialize)]
struct Run {
    trace: String,
    args: Vec<Value>,
    report: Report,
}

#[derive(Debug, Deserialize)]
struct Report {
    completed_requests: usize,
    duration_ms: f64,
    mean_ttft_ms: f64,
    mean_ttst_ms: f64,
    mean_itl_ms: f64,
    max_itl_ms: f64,
    mean_e2e_latency_ms: f64,
    prefix_cache_reused_ratio: f64,
}

#[derive(Deserialize)]
struct Row {
    timestamp: f64,
    input_length: usize,
    output_length: u32,
    hash_ids: Vec<u64>,
}

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if path.join("oracle/runs").is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no recorded runs at {}", path.display());
    None
}

/// The value of a command-line flag.
fn flag<'a>(run: &'a Run, name: &str) -> Option<&'a Value> {
    let position = run.args.iter().position(|arg| arg == name)?;
    run.args.get(position + 1)
}

fn number(run: &Run, name: &str, default: f64) -> f64 {
    flag(run, name).map_or(default, |value| value.as_str().unwrap().parse().unwrap())
}

fn arrivals(trace: &str, speedup: f64, block_tokens: u32) -> Vec<(RequestId, Arriving)> {
    let mut interner = Interner::new(block_tokens);
    let rows = trace
        .lines()
        .map(|line| serde_json::from_str::<Row>(line).unwrap());
    let arriving = |row: Row| {
        let expanded = row
            .hash_ids
            .iter()
            .flat_map(|&id| std::iter::repeat_n(id, TRACE_BLOCK));
        let tokens: Vec<u64> = expanded.take(row.input_length).collect();
        Arriving {
            at: SimTime::ZERO + SimDuration::try_from_ms(row.timestamp / speedup).unwrap(),
            prompt: interner.prompt(&tokens),
            output_tokens: row.output_length,
        }
    };
    (0..).map(RequestId).zip(rows.map(arriving)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn check(name: &str, implementation: Implementation) {
    let Some(shared) = shared() else { return };
    let read = |path: &str| fs::read_to_string(shared.join(path)).unwrap();
    let run: Run = serde_json::from_str(&read(&format!("oracle/runs/{name}.json"))).unwrap();
    let empty = Value::Object(serde_json::Map::new());
    let args = flag(&run, "--extra-engine-args").unwrap_or(&empty);
    let config = ParsedArgs::from_value(args, Quirks::ALL).unwrap().config;
    let arrivals = arrivals(
        &read(&format!("traces/{}", run.trace)),
        number(&run, "--arrival-speedup-ratio", 1.0),
        config.block_tokens,
    );
    let engines = scheduler(&config, Role::Aggregated, Quirks::ALL);
    let count = number(&run, "--num-workers", 1.0) as u32;
    let mut workers = Workers::new(engines, implementation, count);
    assert_eq!(workers.run(&arrivals), Ok(Vec::new()));
    compare(name, &workers, &arrivals, &run.report);
}

fn compare(name: &str, workers: &Workers, arrivals: &[(RequestId, Arriving)], report: &Report) {
    let (mut ttft, mut ttst, mut e2e) = (Vec::new(), Vec::new(), Vec::new());
    let (mut reused, mut prompts, mut end) = (0, 0, SimTime::ZERO);
    for (id, arriving) in arrivals {
        let story = workers.story(id.0);
        let first = story.first.unwrap();
        ttft.push((first - arriving.at).as_ms());
        ttst.extend(story.second.map(|second| (second - first).as_ms()));
        e2e.push((story.completed[0] - arriving.at).as_ms());
        end = end.max(story.completed[0]);
        let cached = story.admissions.iter().map(|admission| admission.1);
        reused += u64::from(cached.max().unwrap());
        prompts += u64::from(arriving.prompt.tokens());
    }
    let itl: Vec<f64> = workers.gaps().iter().map(|gap| gap.1.as_ms()).collect();
    assert_eq!(arrivals.len(), report.completed_requests);
    for (what, ours, theirs) in [
        ("duration", end.as_ms(), report.duration_ms),
        ("mean ttft", mean(&ttft), report.mean_ttft_ms),
        ("mean ttst", mean(&ttst), report.mean_ttst_ms),
        ("mean itl", mean(&itl), report.mean_itl_ms),
        (
            "max itl",
            itl.iter().copied().fold(0.0, f64::max),
            report.max_itl_ms,
        ),
        ("mean e2e", mean(&e2e), report.mean_e2e_latency_ms),
        (
            "reuse",
            reused as f64 / prompts as f64,
            report.prefix_cache_reused_ratio,
        ),
    ] {
        // The reference adds nanoseconds up as floating-point milliseconds.
        let tolerance = (1e-9 * theirs.abs()).max(2e-6);
        assert!(
            (ours - theirs).abs() <= tolerance,
            "{name}: {what} is {ours}, not {theirs}"
        );
    }
}

#[test]
fn literal_runs_equal_the_reference_s() {
    for name in [
        "c1k_poly_rr_1w",
        "c1k_poly_block512_8w",
        "c1k_poly_rr_2w_x4",
    ] {
        check(name, Implementation::Literal);
    }
}

#[test]
fn fast_runs_equal_the_reference_s() {
    for name in [
        "c1k_poly_rr_1w",
        "c1k_poly_block16_2w",
        "c1k_poly_block512_8w",
        "c1k_poly_rr_2w_x4",
    ] {
        check(name, Implementation::Fast);
    }
}
