//! Every combination of engine, topology, router, arrival mode, planner and
//! compatibility either runs or is refused in a sentence.

use dynosim::{Extras, Plan};
use serde_json::{Value, json};

use crate::fixtures::trace_file;

const ENGINES: &[&str] = &[
    r#""num_gpu_blocks": 400"#,
    r#""engine_type": "sglang", "num_gpu_blocks": 25000"#,
    r#""engine_type": "trtllm", "num_gpu_blocks": 800"#,
    r#""num_gpu_blocks": 400, "aic_nextn": 2, "aic_nextn_accept_rates": "0.8,0.5""#,
];
const ROUTERS: &[&str] = &["round_robin", "kv_router", "least_loaded"];
const PLANNER: &str = r#""optimization_target": "sla", "enable_load_scaling": true,
    "load_adjustment_interval_seconds": 1, "throughput_adjustment_interval_seconds": 3,
    "report_interval_hours": null, "live_dashboard_port": 0"#;

/// Single requests, and the same as the turns of sessions.
fn rows(multi_turn: bool) -> Vec<Value> {
    (0..12_u64)
        .map(|number| {
            let mut row = json!({
                "timestamp": number * 400, "input_length": 300 + 40 * number,
                "output_length": 5 + number, "hash_ids": [number % 3, 100 + number],
            });
            if multi_turn {
                row["session_id"] = json!(format!("session {}", number % 4));
            }
            row
        })
        .collect()
}

fn arrivals() -> Vec<(Vec<Value>, Vec<&'static str>)> {
    vec![
        (rows(false), vec![]),
        (rows(false), vec!["--arrival-speedup-ratio", "3"]),
        (rows(false), vec!["--replay-concurrency", "3"]),
        (rows(true), vec![]),
        (rows(true), vec!["--replay-concurrency", "2"]),
        (
            Vec::new(),
            vec![
                "--input-tokens",
                "200",
                "--output-tokens",
                "6",
                "--request-count",
                "12",
                "--arrival-interval-ms",
                "300",
            ],
        ),
    ]
}

/// The flags of a deployment.
fn deployment(engine: &str, disaggregated: bool, planned: bool) -> Vec<String> {
    let role = |role: &str| format!("{{{engine}, \"worker_type\": \"{role}\"}}");
    let mut flags = if disaggregated {
        vec![
            "--prefill-engine-args".to_owned(),
            role("prefill"),
            "--decode-engine-args".to_owned(),
            role("decode"),
        ]
    } else {
        let engine = format!("{{{engine}}}");
        ["--num-workers", "2", "--extra-engine-args", engine.as_str()]
            .map(str::to_owned)
            .to_vec()
    };
    if planned {
        let mode = if disaggregated { "disagg" } else { "agg" };
        flags.push("--planner-config".to_owned());
        flags.push(format!("{{\"mode\": \"{mode}\", {PLANNER}}}"));
    }
    flags
}

#[test]
fn every_combination_runs_or_is_refused_in_a_sentence() {
    let (mut ran, mut refused) = (0, 0);
    for (rows, arrival) in arrivals() {
        let (_folder, path) = trace_file(&rows);
        for engine in ENGINES {
            for shape in 0..4 {
                let deployment = deployment(engine, shape & 1 == 1, shape & 2 == 2);
                for router in ROUTERS {
                    for compat in ["default", "1.2.1"] {
                        let mut flags = vec!["--router-mode", router, "--compat", compat];
                        if !rows.is_empty() {
                            flags.push(&path);
                        }
                        flags.extend(&arrival);
                        flags.extend(deployment.iter().map(String::as_str));
                        match Plan::from_flags(flags.iter().copied()) {
                            Err(failure) => {
                                refused += 1;
                                assert_eq!(failure.code(), 2, "{flags:?}: {failure}");
                                assert!(failure.to_string().len() > 20, "{flags:?}: {failure}");
                                assert_eq!(compat, "1.2.1", "{flags:?}: {failure}");
                            }
                            Ok(plan) => {
                                ran += 1;
                                let finished = plan
                                    .run(Extras::default())
                                    .unwrap_or_else(|failure| panic!("{flags:?}: {failure}"));
                                let summary = finished.summary;
                                assert_eq!(summary.requests, 12, "{flags:?}");
                                let ended = summary.completed + summary.rejected;
                                assert_eq!(ended, 12, "{flags:?}");
                                assert_eq!(summary.rejected, 0, "{flags:?}");
                            }
                        }
                    }
                }
            }
        }
    }
    // Only 1.2.1 refuses: what came later, and planners without a trace.
    assert!(
        ran > 350 && refused > 100,
        "{ran} ran, {refused} were refused"
    );
}
