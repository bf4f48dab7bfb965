//! The real binary, as a user runs it.

use std::process::{Command, Output};

use serde_json::Value;

pub(crate) fn dynosim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dynosim"))
        .args(args)
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SMALL: &[&str] = &[
    "replay",
    "--input-tokens",
    "600",
    "--output-tokens",
    "40",
    "--request-count",
    "50",
    "--arrival-interval-ms",
    "30",
    "--num-workers",
    "2",
    "--no-wall-clock",
];

fn small(more: &[&str]) -> Output {
    dynosim(&[SMALL, more].concat())
}

#[test]
fn alone_it_prints_the_table_of_an_example() {
    let output = dynosim(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("NVIDIA AIPerf | LLM Metrics"), "{text}");
    assert!(text.contains("Time to First Token (ms)"), "{text}");
}

#[test]
fn the_same_run_prints_the_same_bytes() {
    let one = small(&["--json"]);
    let two = small(&["--json"]);
    assert!(one.status.success());
    assert_eq!(one.stdout, two.stdout);
    let report: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(report["completed_requests"], 50);
    assert!(report.get("wall_time_ms").is_none());
}

#[test]
fn reports_are_written_where_asked_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("deep/er/report.json");
    let lines = folder.path().join("requests.jsonl");
    let output = small(&[
        "--report-json",
        json.to_str().unwrap(),
        "--report-jsonl",
        lines.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let said = format!("Saved full report to: {}", json.display());
    assert!(stdout(&output).contains(&said));
    let text = std::fs::read_to_string(&json).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["num_requests"], 50);
    let lines = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(lines.lines().count(), 50);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["input_tokens"], 600);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing half-written stays behind");
}

#[test]
fn a_folder_gets_the_references_file_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = small(&["--report-json", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("dynamo_replay_report_2"), "{names:?}");
    assert!(names[0].ends_with(".json"), "{names:?}");
}

#[test]
fn quiet_prints_nothing() {
    let output = small(&["--quiet"]);
    assert!(output.status.success());
    assert!(output.stdout.is_empty());
    assert!(output.stderr.is_empty());
}

#[test]
fn check_resolves_and_runs_nothing() {
    let output = small(&["--check", "--extra-engine-args", r#"{"block_size": 16}"#]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("16384 KV blocks of 16 tokens"), "{text}");
    assert!(!text.contains("AIPerf"), "{text}");
}

#[test]
fn a_missed_bound_is_exit_code_3() {
    let met = small(&["--sla-ttft-ms", "100000", "--fail-below-sla", "1"]);
    assert_eq!(met.status.code(), Some(0), "{}", stderr(&met));
    assert!(stdout(&met).contains("SLA attainment: 100.00 % (50 of 50 requests)"));
    let missed = small(&["--sla-ttft-ms", "0.001", "--fail-below-sla", "0.5"]);
    assert_eq!(missed.status.code(), Some(3));
    assert!(stderr(&missed).contains("is below the bound 0.5"));
}

#[test]
fn the_report_follows_its_schema() {
    let schema = dynosim(&["schema", "report"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let report: Value = serde_json::from_slice(&small(&["--json"]).stdout).unwrap();
    let known = schema["properties"].as_object().unwrap();
    let is_statistic = |key: &str| {
        [
            "mean_", "min_", "max_", "median_", "p75_", "p90_", "p95_", "p99_", "std_",
        ]
        .iter()
        .any(|prefix| key.starts_with(prefix))
    };
    for key in report.as_object().unwrap().keys() {
        let described = known.contains_key(key) || is_statistic(key);
        assert!(described, "{key} is not in the schema");
    }
    for key in schema["required"].as_array().unwrap() {
        assert!(
            report.get(key.as_str().unwrap()).is_some(),
            "{key} is missing"
        );
    }
}

#[test]
fn help_has_examples_and_completions_are_scripts() {
    let help = stdout(&dynosim(&["replay", "--help"]));
    assert!(help.contains("Examples:"), "{help}");
    let script = stdout(&dynosim(&["completions", "bash"]));
    assert!(script.contains("_dynosim()"), "{script}");
}
