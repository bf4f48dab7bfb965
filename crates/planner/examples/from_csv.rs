//! Drives the planner's state machine from a file of observations, without a simulator:
//! `cargo run -p planner --example from_csv [FILE]`.
//!
//! One line per worker and instant: `now_s, worker, wall_ms, prefill_requests, prefill_tokens, decode_requests,
//! decode_kv_tokens, queued_prefill_tokens, queued_decode_kv_tokens`. A line that starts with `#` is a comment. A
//! live controller does the same with what its engines report, and carries the decisions out.

use std::collections::BTreeMap;
use std::error::Error;

use planner::{
    Capabilities, EngineCapabilities, Pass, Planner, TickInput, WorkerCounts, WorkerPass,
    parse_config,
};
use sim_api::{Quirks, WorkerId};

/// Observations by time in milliseconds.
type Timeline = BTreeMap<u64, Vec<WorkerPass>>;

fn main() -> Result<(), Box<dyn Error>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/observations.csv");
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| default.to_owned());
    let timeline = parse(&std::fs::read_to_string(path)?)?;

    let fields = serde_json::json!({
        "mode": "agg", "optimization_target": "throughput", "load_adjustment_interval_seconds": 5,
    });
    let config = parse_config(&fields, Quirks::NONE)?.config;
    let engine = EngineCapabilities {
        num_gpu: Some(1),
        max_batched_tokens: Some(8192),
        max_kv_tokens: Some(120_000),
        ..EngineCapabilities::default()
    };
    let capabilities = Capabilities {
        decode: engine,
        ..Capabilities::default()
    };
    let mut planner = Planner::new(&config, capabilities, Quirks::NONE, 0.0)?;

    for (now_ms, workers) in &timeline {
        let now_s = *now_ms as f64 / 1000.0;
        let tick = planner.next_tick();
        if now_s < tick.at_s {
            continue;
        }
        let ready = u32::try_from(workers.len())?;
        let effects = planner.on_tick(
            &tick,
            &TickInput {
                now_s,
                workers: Some(WorkerCounts {
                    ready_decode: Some(ready),
                    ..WorkerCounts::default()
                }),
                decode: workers,
                ..TickInput::default()
            },
        );
        let wanted = effects.scale_to.and_then(|targets| targets.decode);
        let wanted = wanted.map_or_else(
            || "stay".to_owned(),
            |replicas| format!("scale to {replicas}"),
        );
        let reason = effects
            .diagnostics
            .load
            .map_or("", planner::LoadReason::name);
        println!(
            "t={now_s:5.1} s  {ready} ready  {wanted} ({reason}), ask again at {} s",
            effects.next_tick.at_s
        );
    }
    Ok(())
}

fn parse(text: &str) -> Result<Timeline, Box<dyn Error>> {
    let mut timeline = Timeline::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let real = |column: usize| -> Result<f64, String> {
            let text = fields.get(column).copied().unwrap_or("");
            let number = text
                .parse::<f64>()
                .ok()
                .filter(|number| *number >= 0.0 && number.is_finite());
            number.ok_or_else(|| {
                format!(
                    "line {}: column {}: {text:?} is no number from 0",
                    index + 1,
                    column + 1
                )
            })
        };
        let whole = |column: usize| real(column).map(|number| number as u64);
        let pass = Pass {
            wall_s: real(2)? / 1000.0,
            num_prefill: whole(3)?,
            prefill_tokens: whole(4)?,
            num_decode: whole(5)?,
            decode_kv_tokens: whole(6)?,
            queued_prefill_tokens: whole(7)?,
            queued_decode_kv_tokens: whole(8)?,
        };
        let worker = WorkerId(u32::try_from(whole(1)?)?);
        let at_ms = (real(0)? * 1000.0).round() as u64;
        timeline.entry(at_ms).or_default().push(WorkerPass {
            worker,
            rank: 0,
            pass,
        });
    }
    Ok(timeline)
}
