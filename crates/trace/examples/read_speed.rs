//! How fast a trace is read and played: `read_speed FILE [ROUNDS]`.
#![expect(clippy::disallowed_methods, reason = "it measures wall time")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sim_core::SimTime;
use trace::{Load, Pacing, Trace, TraceOptions, Window, WorkloadSpec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: read_speed FILE [ROUNDS]")?;
    let rounds: u32 = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let start = Instant::now();
    let twin = trace::AgenticTwin::new(1).trace();
    println!("{} requests generated in {:?}", twin.len(), start.elapsed());
    for _ in 0..rounds {
        let start = Instant::now();
        let trace = Trace::open(Path::new(&file), &TraceOptions::default())?;
        let read = start.elapsed();
        let spec = WorkloadSpec {
            load: Load::Trace(Arc::new(trace)),
            pacing: Pacing::Arrivals { speedup: 1.0 },
            window: Window::default(),
            engine_block_size: 64,
            quirks: sim_api::Quirks::NONE,
        };
        let start = Instant::now();
        let mut workload = spec.build()?;
        let mut arrivals = Vec::new();
        workload.release(SimTime::MAX, usize::MAX, &mut arrivals)?;
        let played = start.elapsed();
        let runs: usize = arrivals.iter().map(|a| a.prompt.runs().len()).sum();
        println!(
            "{} requests, {runs} runs: read {read:?}, played {played:?}",
            arrivals.len()
        );
    }
    Ok(())
}
