//! Playing a workload without engines.

use std::sync::Arc;

use sim_api::{Arrival, Quirks, Workload};
use sim_core::{SimDuration, SimTime};
use trace::{Load, LoadError, Pacing, Trace, TraceOptions, Window, WorkloadSpec};

pub(crate) const OPEN: Pacing = Pacing::Arrivals { speedup: 1.0 };

pub(crate) fn parse(rows: &str, block_size: u32) -> Trace {
    let options = TraceOptions {
        block_size,
        ..TraceOptions::default()
    };
    Trace::from_bytes("test", rows, &options).unwrap()
}

pub(crate) fn spec(load: Load, pacing: Pacing) -> WorkloadSpec {
    WorkloadSpec {
        load,
        pacing,
        window: Window::default(),
        engine_block_size: 4,
        quirks: Quirks::NONE,
    }
}

pub(crate) fn of_rows(rows: &str, pacing: Pacing) -> Result<Box<dyn Workload>, LoadError> {
    spec(Load::Trace(Arc::new(parse(rows, 4))), pacing).build()
}

/// All arrivals, if each request takes `service` and at most `cap` run at once.
pub(crate) fn play(workload: &mut dyn Workload, service: SimDuration, cap: usize) -> Vec<Arrival> {
    let mut now = SimTime::ZERO;
    let mut running: Vec<(SimTime, sim_api::RequestId)> = Vec::new();
    let mut all = Vec::new();
    loop {
        running.sort_unstable();
        while running.first().is_some_and(|&(end, _)| end <= now) {
            let (end, id) = running.remove(0);
            workload.on_complete(end, id);
        }
        let mut arrivals = Vec::new();
        let slots = cap - running.len();
        workload.release(now, slots, &mut arrivals).unwrap();
        assert!(arrivals.len() <= slots);
        for arrival in arrivals {
            assert!(arrival.at <= now);
            running.push((now + service, arrival.id));
            all.push(arrival);
        }
        let end = running.iter().map(|&(end, _)| end).min();
        let arrival = workload.next_arrival().unwrap();
        let arrival = arrival
            .filter(|_| running.len() < cap)
            .map(|at| at.max(now));
        match [end, arrival].into_iter().flatten().min() {
            Some(next) => now = next,
            None => return all,
        }
    }
}

/// (session, turn, arrival in ms) of each arrival.
pub(crate) fn times(arrivals: &[Arrival]) -> Vec<(u32, u32, f64)> {
    let time = |arrival: &Arrival| {
        let origin = arrival.origin;
        (origin.session.0, origin.turn, arrival.at.as_ms())
    };
    arrivals.iter().map(time).collect()
}
