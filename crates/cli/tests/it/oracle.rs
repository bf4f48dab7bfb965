//! Whole runs of the reference on real traces.

use serde_json::Value;

use crate::fixtures::{oracle_runs, report, shared_trace};

/// Runs in which chance has no part: the reference's KV router breaks ties at random.
fn is_wanted(name: &str) -> bool {
    !name.contains("_kv_")
}

fn flags_of(run: &Value) -> Option<Vec<String>> {
    let mut flags = Vec::new();
    if let Some(trace) = run["trace"].as_str() {
        let name = trace.rsplit('/').next().unwrap_or(trace);
        flags.push(shared_trace(name)?.to_str()?.to_owned());
    }
    for arg in run["args"].as_array()? {
        flags.push(match arg {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    }
    flags.extend(["--compat".to_owned(), "1.2.1".to_owned()]);
    Some(flags)
}

/// Means and counts within 0.1 %, percentiles and extremes within 0.5 %.
fn differences(report: &Value, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (key, want) in expected.as_object().into_iter().flatten() {
        let (Some(want), Some(got)) = (want.as_f64(), report[key].as_f64()) else {
            found.push(format!("{key}: {} instead of {want}", report[key]));
            continue;
        };
        let exact = ["p75", "p90", "p95", "p99", "median", "min", "max"]
            .iter()
            .all(|prefix| !key.starts_with(prefix));
        let allowed = if exact { 0.001 } else { 0.005 };
        if (got - want).abs() > allowed * want.abs() + 1e-9 {
            found.push(format!("{key}: {got}, expected {want}"));
        }
    }
    found
}

/// The same scaling events at the same seconds, GPU-hours within 0.1 % (they
/// are recorded with two decimals).
fn planner_differences(planner: &Value, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if expected.is_null() {
        return found;
    }
    if planner["ticks"] != expected["ticks"] {
        found.push(format!(
            "{} ticks, expected {}",
            planner["ticks"], expected["ticks"]
        ));
    }
    let hours = |value: &Value| value["gpu_hours"].as_f64().unwrap_or(f64::NAN);
    let (got, want) = (hours(planner), hours(expected));
    if (got - want).abs() > 0.001 * want + 0.005 {
        found.push(format!("{got} GPU-hours, expected {want}"));
    }
    let events = |value: &Value| -> Vec<String> {
        let events = value["scaling_events"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let line = |event: &Value| {
            format!(
                "t={:.1} {} {} -> {} {}",
                event["at_s"].as_f64().unwrap_or(f64::NAN),
                event["component"],
                event["from"],
                event["to"],
                event["reason"]
            )
        };
        events.iter().map(line).collect()
    };
    let (got, want) = (events(planner), events(expected));
    if got != want {
        let first = got.iter().zip(&want).find(|(got, want)| got != want);
        found.push(format!(
            "{} events, expected {}; first difference {first:?}",
            got.len(),
            want.len()
        ));
    }
    found
}

#[test]
fn runs_on_real_traces_agree() {
    let mut wrong = Vec::new();
    for run in oracle_runs() {
        let name = run["name"].as_str().unwrap();
        if !is_wanted(name) {
            continue;
        }
        let Some(flags) = flags_of(&run) else {
            continue;
        };
        match report(&flags) {
            Err(failure) => wrong.push(format!("{name}: {failure}")),
            Ok(report) => {
                let mut found = differences(&report, &run["report"]);
                found.extend(planner_differences(&report["planner"], &run["planner"]));
                if !found.is_empty() {
                    wrong.push(format!("{name}:\n    {}", found.join("\n    ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The reference breaks the router's ties at random, so its run is one draw:
/// it lies within 3 % of the mean over our seeds, or within three standard
/// deviations of it.
#[test]
fn runs_with_the_kv_router_agree_on_means_over_seeds() {
    const SEEDS: u32 = 8;
    let mut wrong = Vec::new();
    for run in oracle_runs() {
        let name = run["name"].as_str().unwrap();
        if !name.contains("_kv_") {
            continue;
        }
        let Some(flags) = flags_of(&run) else {
            continue;
        };
        let reports: Vec<Value> = (0..SEEDS)
            .map(|seed| {
                let seed = ["--seed".to_owned(), seed.to_string()];
                report(&[flags.clone(), seed.to_vec()].concat()).unwrap()
            })
            .collect();
        for key in [
            "mean_ttft_ms",
            "mean_itl_ms",
            "mean_e2e_latency_ms",
            "duration_ms",
            "prefix_cache_reused_ratio",
        ] {
            let values: Vec<f64> = reports
                .iter()
                .map(|report| report[key].as_f64().unwrap())
                .collect();
            let got = values.iter().sum::<f64>() / f64::from(SEEDS);
            let squares: f64 = values.iter().map(|value| (value - got).powi(2)).sum();
            let deviation = (squares / f64::from(SEEDS - 1)).sqrt();
            let want = run["report"][key].as_f64().unwrap();
            if (got - want).abs() > (0.03 * want).max(3.0 * deviation) {
                wrong.push(format!("{name} {key}: {got}, expected {want}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
