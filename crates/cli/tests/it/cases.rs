//! The reference's small cases: whole reports, refusals, rejections.

use serde_json::Value;

use crate::fixtures::{mocker_cases, option_flags, report, trace_file};

/// Groups of cases, by the letters before their number, that run here.
const GROUPS: &[&str] = &["v", "s", "d", "n_", "k", "a", "g", "m"];

/// The measured profile of the `n_` cases.
const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/profile.npz");

fn is_wanted(name: &str) -> bool {
    let number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    GROUPS.iter().any(|group| {
        name.strip_prefix(group)
            .is_some_and(|rest| group.len() > 1 || number(rest))
    })
}

/// The flags of a case, with its trace written to a file.
fn flags_of(case: &Value) -> (Option<tempfile::TempDir>, Vec<String>) {
    let mut flags = Vec::new();
    let mut folder = None;
    if let Some(rows) = case["trace_rows"].as_array() {
        let (kept, path) = trace_file(rows);
        folder = Some(kept);
        flags.push(path);
    }
    flags.extend(option_flags(&case["options"]));
    flags.extend(option_flags(&case["synthetic"]));
    for (field, flag) in [
        ("engine_args", "--extra-engine-args"),
        ("prefill_engine_args", "--prefill-engine-args"),
        ("decode_engine_args", "--decode-engine-args"),
    ] {
        if !case[field].is_null() {
            flags.push(flag.to_owned());
            let mut args = case[field].clone();
            if args["planner_profile_data"] == "<npz_profile>" {
                args["planner_profile_data"] = Value::from(PROFILE);
            } else if let Some(args) = args.as_object_mut() {
                args.remove("planner_profile_data");
            }
            flags.push(args.to_string());
        }
    }
    if case["upstream_version"] == "1.2.1" {
        flags.extend(["--compat".to_owned(), "1.2.1".to_owned()]);
    }
    (folder, flags)
}

/// The first difference between a report and what is expected of it.
fn difference(report: &Value, expected: &Value) -> Option<String> {
    for (key, want) in expected.as_object()? {
        let want = want.as_f64()?;
        let Some(got) = report[key].as_f64() else {
            return Some(format!("{key}: absent, expected {want}"));
        };
        // Relative for large values, two nanoseconds (in ms) for small ones.
        let tolerance = (want.abs() * 1e-9).max(2e-6);
        if (got - want).abs() > tolerance {
            return Some(format!("{key}: {got}, expected {want}"));
        }
    }
    None
}

#[test]
fn reports_equal_the_reference() {
    let cases = mocker_cases();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        // Cases without a report are those in which the reference never ends.
        // One of a later version has the old rule for first tokens, which the
        // default has not; the engine's own tests run it under that rule.
        let other_rule = name == "m00_base_no_mtp";
        if !is_wanted(name) || case["expected_report"].is_null() || other_rule {
            continue;
        }
        checked += 1;
        let (_folder, flags) = flags_of(case);
        match report(&flags) {
            Err(failure) => wrong.push(format!("{name}: {failure}")),
            Ok(report) => {
                let mut expected = case["expected_report"].clone();
                if case["upstream_version"] != "1.2.1" {
                    // By default reuse is that of first admissions.
                    expected["prefix_cache_reused_ratio"] =
                        expected["first_admission_prefix_cache_reused_ratio"].clone();
                }
                if let Some(difference) = difference(&report, &expected) {
                    wrong.push(format!("{name}: {difference}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{checked} checked\n{}", wrong.join("\n"));
    assert!(checked > 50, "only {checked} cases were checked");
}

#[test]
fn what_the_reference_refuses_is_refused() {
    let cases = mocker_cases();
    let mut wrong = Vec::new();
    for case in cases["error_cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut input = case["input"].clone();
        input["upstream_version"] = case["upstream_version"].clone();
        let given = |field: &str| !input[field].is_null();
        if !given("trace_rows") && !given("synthetic") {
            let row = if input["options"]["trace_format"] == "applied_compute_agentic" {
                serde_json::json!({
                    "num_turns": 1, "input_prompt_length": 4,
                    "assistant_response_length": if name.ends_with("mismatch") { vec![] } else { vec![1] },
                    "tool_call_output_length": [1],
                    "tool_call_latency": [1.0], "final_assistant_response_length": 1,
                })
            } else {
                serde_json::json!({
                    "timestamp": 0, "input_length": 4, "output_length": 1, "hash_ids": [1],
                })
            };
            input["trace_rows"] = serde_json::json!([row]);
        }
        let (_folder, flags) = flags_of(&input);
        let wanted = case["expected_error_contains"].as_str().unwrap();
        match report(&flags) {
            Ok(_) => wrong.push(format!("{name}: accepted")),
            Err(failure) if failure.to_string().contains(wanted) => {}
            Err(failure) => wrong.push(format!("{name}: {failure:#}\n    expected {wanted}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_can_never_run_is_rejected_not_retried_for_ever() {
    let cases = mocker_cases();
    for case in cases["livelock_cases"].as_array().unwrap() {
        let (_folder, flags) = flags_of(case);
        let report = report(&flags).unwrap();
        assert_eq!(report["rejected_requests"], 1, "{}", case["name"]);
        assert_eq!(report["completed_requests"], 0, "{}", case["name"]);
    }
}
