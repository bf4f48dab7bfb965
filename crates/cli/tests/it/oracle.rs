//! Whole runs of the reference on real traces.

use serde_json::Value;

use crate::fixtures::{oracle_runs, report, shared_trace};

/// Runs whose parts are all here.
fn is_wanted(name: &str) -> bool {
    name.contains("_poly_") && !name.contains("_kv_router_")
        || name.starts_with("synth_")
        || name == "c1k_poly_kv6000_4w"
        || name.starts_with("c1k_aic_rr")
        || name == "c1k_aic_disagg_2p2d"
        || name == "conv_aic_round_robin_4w"
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
                let found = differences(&report, &run["report"]);
                if !found.is_empty() {
                    wrong.push(format!("{name}:\n    {}", found.join("\n    ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
