//! Ticks for logs and reports.
//!
//! The names of values and reasons are listed at [`TickRecord`].

use std::collections::BTreeMap;

use sim_api::{EngineLoadRecord, Pool, Targets, TickRecord};
use sim_core::SimTime;

use super::traffic::TrafficMeans;
use crate::diagnostics::Diagnostics;
use crate::pass::WorkerPass;

/// What a record is made of, apart from the decision.
#[derive(Clone, Copy, Debug)]
pub struct TickView<'a> {
    /// Number of the tick.
    pub tick: u64,
    /// When it was due.
    pub due: SimTime,
    /// The clock.
    pub at: SimTime,
    /// Ready prefill workers, in disaggregated deployments.
    pub prefill_ready: Option<u32>,
    /// Ready decode workers.
    pub decode_ready: u32,
    /// The last drained window.
    pub observed: Option<&'a TrafficMeans>,
    /// The throughput interval in seconds.
    pub throughput_interval_s: f64,
    /// GPU-hours so far.
    pub gpu_hours: f64,
    /// Last passes of prefill workers.
    pub prefill: &'a [WorkerPass],
    /// Last passes of decode workers.
    pub decode: &'a [WorkerPass],
}

/// The decision.
#[derive(Clone, Copy, Debug)]
pub struct DecisionView<'a> {
    /// How it came about.
    pub diagnostics: &'a Diagnostics,
    /// What was decided.
    pub targets: Option<Targets>,
}

impl TickView<'_> {
    /// The record of a tick.
    #[must_use]
    pub fn record(&self, decision: &DecisionView<'_>) -> TickRecord {
        let mut values = BTreeMap::new();
        self.put_observed(&mut values);
        self.put_computed(&mut values, decision.diagnostics);
        let engines = [(Pool::Prefill, self.prefill), (Pool::Decode, self.decode)]
            .into_iter()
            .flat_map(|(pool, passes)| passes.iter().map(move |seen| engine_load(pool, seen)))
            .collect();
        TickRecord {
            tick: self.tick,
            due: self.due,
            at: self.at,
            prefill_ready: self.prefill_ready,
            decode_ready: self.decode_ready,
            values,
            reasons: reasons(decision.diagnostics),
            engines,
            targets: decision.targets,
        }
    }

    fn rate(&self, requests: f64) -> Option<f64> {
        (self.throughput_interval_s > 0.0).then(|| requests / self.throughput_interval_s)
    }

    fn put_observed(&self, values: &mut BTreeMap<&'static str, f64>) {
        let Some(seen) = self.observed else {
            return;
        };
        let served = seen.num_req > 0.0;
        put(values, "observed_num_req", Some(seen.num_req));
        put(values, "observed_duration_s", Some(seen.duration_s));
        put(values, "observed_rps", self.rate(seen.num_req));
        put(values, "observed_isl", Some(seen.isl));
        put(values, "observed_osl", Some(seen.osl));
        put(values, "observed_ttft_ms", served.then_some(seen.ttft_ms));
        put(values, "observed_itl_ms", served.then_some(seen.itl_ms));
        put(values, "observed_kv_hit_rate", seen.kv_hit_rate);
        put(values, "observed_accept_length", seen.accept_length);
    }

    fn put_computed(&self, values: &mut BTreeMap<&'static str, f64>, of: &Diagnostics) {
        put(values, "predicted_num_req", of.predicted_num_req);
        put(
            values,
            "predicted_rps",
            of.predicted_num_req
                .and_then(|requests| self.rate(requests)),
        );
        put(values, "predicted_isl", of.predicted_isl);
        put(values, "predicted_osl", of.predicted_osl);
        put(values, "predicted_kv_hit_rate", of.predicted_kv_hit_rate);
        put(values, "estimated_ttft_ms", of.estimated_ttft_ms);
        put(values, "estimated_itl_ms", of.estimated_itl_ms);
        put(values, "engine_rps_prefill", of.engine_rps_prefill);
        put(values, "engine_rps_decode", of.engine_rps_decode);
        put(
            values,
            "lower_bound_prefill",
            Some(f64::from(of.lower_bound_prefill)),
        );
        put(
            values,
            "lower_bound_decode",
            Some(f64::from(of.lower_bound_decode)),
        );
        put(values, "gpu_hours", Some(self.gpu_hours));
    }
}

fn put(values: &mut BTreeMap<&'static str, f64>, name: &'static str, value: Option<f64>) {
    if let Some(value) = value {
        values.insert(name, value);
    }
}

fn reasons(of: &Diagnostics) -> BTreeMap<&'static str, String> {
    let load = [
        ("load", of.load),
        ("load_prefill", of.load_prefill),
        ("load_decode", of.load_decode),
    ];
    let throughput = [
        ("throughput", of.throughput),
        ("throughput_prefill", of.throughput_prefill),
        ("throughput_decode", of.throughput_decode),
    ];
    let load = load
        .into_iter()
        .filter_map(|(key, reason)| Some((key, reason?.name().to_owned())));
    let throughput = throughput
        .into_iter()
        .filter_map(|(key, reason)| Some((key, reason?.name().to_owned())));
    load.chain(throughput).collect()
}

fn engine_load(pool: Pool, seen: &WorkerPass) -> EngineLoadRecord {
    EngineLoadRecord {
        pool,
        worker: seen.worker,
        queued_prefill_tokens: seen.pass.queued_prefill_tokens,
        queued_decode_kv_tokens: seen.pass.queued_decode_kv_tokens,
        inflight_decode_kv_tokens: seen.pass.decode_kv_tokens,
    }
}

/// How often the known ready counts of one pool changed from tick to tick.
///
/// ```
/// assert_eq!(planner::replica_transitions([Some(2), Some(3), None, Some(3), Some(2)]), 2);
/// ```
#[must_use]
pub fn replica_transitions(ready: impl IntoIterator<Item = Option<u32>>) -> usize {
    let known: Vec<u32> = ready.into_iter().flatten().collect();
    known.windows(2).filter(|pair| pair[0] != pair[1]).count()
}
