//! The summary as JSON: the reference's keys, and ours beside them.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sim_api::{CoverageTally, ScalingEvent};
use sim_core::SimDuration;

use crate::planner::{PlannerSummary, PoolSize, ReplicaPoint};
use crate::{Distribution, RouterSummary, SlaReport, Summary};

/// The JSON schema of a report.
pub const REPORT_SCHEMA: &str = include_str!("report.schema.json");

/// What a JSON report says besides the summary.
#[derive(Clone, Debug, Default)]
pub struct JsonOptions {
    /// Real time that the run took; the three keys that depend on it are left
    /// out without it.
    pub wall_time: Option<Duration>,
    /// Price of a GPU for an hour; adds the cost.
    pub gpu_hour_price: Option<f64>,
    /// The name of the routing policy; shown where routers had something to
    /// decide.
    pub router_mode: Option<String>,
    /// What the run was: seed, arguments, versions. Shown under `run`, where
    /// the coverage of the step times is added.
    pub run: Map<String, Value>,
}

/// The report as a JSON object, keys ascending. Times are in milliseconds
/// where a key ends in `_ms`, in seconds where it ends in `_s` or `_seconds`.
pub fn report_value(summary: &Summary, options: &JsonOptions) -> Value {
    let mut keys = Map::new();
    counts(&mut keys, summary);
    throughput(&mut keys, summary);
    for (metric, in_ms, distribution) in summary.distributions() {
        statistics(&mut keys, metric, in_ms, distribution);
    }
    resources(&mut keys, summary, options);
    if let Some(sla) = &summary.sla {
        attainment(&mut keys, summary, sla);
    }
    if let Some(wall_time) = options.wall_time {
        wall_clock(&mut keys, summary, wall_time);
    }
    if let Some(planner) = &summary.planner {
        keys.insert("planner".to_owned(), planner_block(planner, summary));
    }
    if let Some(router) = &summary.router {
        let block = router_block(router, options.router_mode.as_deref());
        keys.insert("router".to_owned(), block);
    }
    let mut run = options.run.clone();
    run.insert("coverage".to_owned(), coverage_shares(&summary.coverage));
    keys.insert("run".to_owned(), Value::Object(run));
    let mut value = Value::Object(keys);
    // A no-op unless some crate of the build asks serde_json for insertion order.
    value.sort_all_objects();
    value
}

/// The report as text: keys sorted, two spaces a level, a newline at the end.
///
/// ```
/// let text = report::report_json(&report::Summary::default(), &report::JsonOptions::default());
/// assert!(text.starts_with("{\n  \"completed_requests\": 0,\n"));
/// assert!(text.ends_with("\n}\n"));
/// ```
pub fn report_json(summary: &Summary, options: &JsonOptions) -> String {
    format!("{:#}\n", report_value(summary, options))
}

fn counts(keys: &mut Map<String, Value>, summary: &Summary) {
    for (key, count) in [
        ("num_requests", summary.requests),
        ("completed_requests", summary.completed),
        ("rejected_requests", summary.rejected),
        ("unfinished_requests", summary.unfinished),
        ("preemptions", summary.preemptions),
        ("total_input_tokens", summary.input_tokens),
        ("total_output_tokens", summary.output_tokens),
        (
            "processed_tokens",
            summary.input_tokens + summary.output_tokens,
        ),
    ] {
        keys.insert(key.to_owned(), count.into());
    }
}

fn throughput(keys: &mut Map<String, Value>, summary: &Summary) {
    let total = summary.input_tokens + summary.output_tokens;
    for (key, value) in [
        ("duration_ms", summary.duration.as_ms()),
        (
            "request_throughput_rps",
            summary.per_second(summary.completed),
        ),
        (
            "input_throughput_tok_s",
            summary.per_second(summary.input_tokens),
        ),
        (
            "output_throughput_tok_s",
            summary.per_second(summary.output_tokens),
        ),
        ("total_throughput_tok_s", summary.per_second(total)),
        ("prefix_cache_reused_ratio", summary.reused_ratio()),
        (
            "first_admission_prefix_cache_reused_ratio",
            summary.first_admission_reused_ratio(),
        ),
    ] {
        keys.insert(key.to_owned(), value.into());
    }
}

fn statistics(keys: &mut Map<String, Value>, metric: &str, in_ms: bool, of: &Distribution) {
    let unit = if in_ms { "_ms" } else { "" };
    for (name, value) in Distribution::NAMES.into_iter().zip(of.values()) {
        keys.insert(format!("{name}_{metric}{unit}"), value.into());
    }
}

fn resources(keys: &mut Map<String, Value>, summary: &Summary, options: &JsonOptions) {
    let prefill = summary.prefill.map_or(0.0, |pool| pool.worker_seconds);
    keys.insert("gpu_hours".to_owned(), summary.gpu_hours.into());
    keys.insert("prefill_worker_seconds".to_owned(), prefill.into());
    let prefill_gpus = summary.prefill.map_or(0, |pool| pool.gpus_per_worker);
    keys.insert("prefill_gpus_per_worker".to_owned(), prefill_gpus.into());
    keys.insert(
        "decode_gpus_per_worker".to_owned(),
        summary.decode.gpus_per_worker.into(),
    );
    keys.insert(
        "decode_worker_seconds".to_owned(),
        summary.decode.worker_seconds.into(),
    );
    if let Some(price) = options.gpu_hour_price {
        keys.insert("gpu_hour_price".to_owned(), price.into());
        keys.insert("cost".to_owned(), (price * summary.gpu_hours).into());
    }
}

fn attainment(keys: &mut Map<String, Value>, summary: &Summary, sla: &SlaReport) {
    let targets = &sla.targets;
    for (metric, target, met) in [
        ("ttft", targets.ttft, sla.met_ttft),
        ("itl", targets.itl, sla.met_itl),
        ("e2e", targets.e2e, sla.met_e2e),
    ] {
        if let Some(target) = target {
            keys.insert(format!("sla_{metric}_ms"), target.as_ms().into());
            keys.insert(format!("sla_{metric}_attainment"), sla.share(met).into());
        }
    }
    for (key, value) in [
        ("sla_attainment", sla.attainment()),
        ("goodput_rps", summary.per_second(sla.met)),
        ("goodput_tok_s", summary.per_second(sla.met_output_tokens)),
    ] {
        keys.insert(key.to_owned(), value.into());
    }
}

fn wall_clock(keys: &mut Map<String, Value>, summary: &Summary, wall_time: Duration) {
    let seconds = wall_time.as_secs_f64();
    let rate = |tokens: u64| tokens as f64 / seconds.max(1e-9);
    for (key, value) in [
        ("wall_time_ms", seconds * 1e3),
        (
            "processed_tokens_per_s",
            rate(summary.input_tokens + summary.output_tokens),
        ),
        ("processed_output_tokens_per_s", rate(summary.output_tokens)),
    ] {
        keys.insert(key.to_owned(), value.into());
    }
}

fn planner_block(planner: &PlannerSummary, summary: &Summary) -> Value {
    let disaggregated = summary.prefill.is_some();
    let events: Vec<Value> = planner.scaling_events.iter().map(event).collect();
    let replicas: Vec<Value> = summary
        .replicas
        .iter()
        .map(|point| replica_point(point, disaggregated))
        .collect();
    json!({
        "ticks": planner.ticks,
        "gpu_hours": planner.gpu_hours,
        "scaling_events": events,
        "replicas": replicas,
    })
}

fn router_block(router: &RouterSummary, mode: Option<&str>) -> Value {
    let queueing = &router.queueing;
    let mut block = json!({
        "dispatched_requests": router.dispatched,
        "waited_requests": router.waited,
        "mean_queueing_ms": queueing.mean,
        "median_queueing_ms": queueing.median,
        "p99_queueing_ms": queueing.p99,
        "max_queueing_ms": queueing.max,
    });
    if let Some(mode) = mode {
        block["mode"] = mode.into();
    }
    if let Some(hits) = &router.hit_rate {
        block["believed_hit_rate"] = hits.believed.into();
        block["best_available_hit_rate"] = hits.best_available.into();
    }
    let pools: Map<String, Value> = router
        .pools()
        .map(|(name, pool)| {
            let mut value = json!({
                "dispatched_requests": pool.dispatched,
                "workers": pool.workers,
            });
            if let Some((max_over_mean, variation)) = pool.mean_spread() {
                value["imbalance"] = json!({
                    "windows": pool.spread.len(),
                    "window_s": pool.window.as_secs(),
                    "mean_max_over_mean": max_over_mean,
                    "mean_coefficient_of_variation": variation,
                });
            }
            (name.to_owned(), value)
        })
        .collect();
    block["pools"] = Value::Object(pools);
    block
}

fn event(event: &ScalingEvent) -> Value {
    json!({
        "at_s": event.at.as_secs(),
        "component": event.component,
        "from": event.from,
        "to": event.to,
        "reason": event.reason,
    })
}

fn replica_point(point: &ReplicaPoint, disaggregated: bool) -> Value {
    let mut value = json!({
        "at_s": point.at.as_secs(),
        "decode": pool_size(point.decode),
    });
    if disaggregated {
        value["prefill"] = pool_size(point.prefill);
    }
    value
}

fn pool_size(size: PoolSize) -> Value {
    json!({
        "starting": size.starting,
        "ready": size.ready,
        "draining": size.draining,
    })
}

/// Shares of the busy time, 0 to 1; all zero if nothing was ever busy.
fn coverage_shares(coverage: &CoverageTally) -> Value {
    let [formula, measured, interpolated, extrapolated] = shares(coverage);
    json!({
        "formula": formula,
        "measured": measured,
        "interpolated": interpolated,
        "extrapolated": extrapolated,
    })
}

/// Busy time on formulas, exact table hits, between and beyond table entries,
/// as shares of the whole.
pub(crate) fn shares(coverage: &CoverageTally) -> [f64; 4] {
    let parts = [
        coverage.formula,
        coverage.measured,
        coverage.interpolated,
        coverage.extrapolated,
    ]
    .map(SimDuration::as_secs);
    let whole: f64 = parts.iter().sum();
    parts.map(|part| if whole > 0.0 { part / whole } else { 0.0 })
}
