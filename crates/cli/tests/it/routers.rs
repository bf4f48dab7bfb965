//! Every routing policy in whole runs: aggregated and disaggregated, with the
//! figures that reports have of it.

use dynosim::{Extras, Plan};
use serde_json::{Value, json};

use crate::binary::{dynosim, stderr, stdout};
use crate::fixtures::trace_file;

const MODES: [&str; 7] = [
    "round_robin",
    "kv_router",
    "least_loaded",
    "random",
    "power_of_two",
    "session_affinity",
    "prefix_only",
];
const AGGREGATED: &[&str] = &[
    "--num-workers",
    "3",
    "--extra-engine-args",
    r#"{"num_gpu_blocks": 400, "block_size": 64}"#,
];
const DISAGGREGATED: &[&str] = &[
    "--prefill-engine-args",
    r#"{"num_gpu_blocks": 400, "block_size": 64, "worker_type": "prefill"}"#,
    "--decode-engine-args",
    r#"{"num_gpu_blocks": 400, "block_size": 64, "worker_type": "decode"}"#,
    "--num-prefill-workers",
    "2",
    "--num-decode-workers",
    "3",
];

/// Sessions of five turns, each a block longer than the one before, whose
/// requests overlap in time.
fn rows() -> Vec<Value> {
    (0..60_u64)
        .map(|number| {
            let (session, turn) = (number % 12, number / 12);
            let shared = (0..=turn).map(|block| 1000 * session + block);
            json!({
                "timestamp": number * 70, "input_length": 512 * (turn + 1),
                "output_length": 20 + number % 9, "hash_ids": shared.collect::<Vec<u64>>(),
                "session_id": format!("session {session}"),
            })
        })
        .collect()
}

fn flags<'a>(trace: &'a str, mode: &'a str, deployment: &[&'a str]) -> Vec<&'a str> {
    let mut flags = vec![trace, "--router-mode", mode, "--no-wall-clock"];
    flags.extend(deployment);
    flags
}

fn report(flags: &[&str]) -> Value {
    let plan = Plan::from_flags(flags.iter().copied()).unwrap();
    let finished = plan.run(Extras::default()).unwrap();
    plan.report(&finished)
}

#[test]
fn a_destination_chosen_before_the_transfer_counts_as_a_dispatch() {
    let (_folder, trace) = trace_file(&rows());
    let pool = |role: &str| {
        json!({
            "num_gpu_blocks": 400, "block_size": 64, "worker_type": role,
            "kv_bytes_per_token": 131_072, "kv_transfer_bandwidth": 10.0,
            "kv_transfer_timing_mode": "destination_missing",
        })
        .to_string()
    };
    let (prefill, decode) = (pool("prefill"), pool("decode"));
    let mut deployment = DISAGGREGATED.to_vec();
    (deployment[1], deployment[3]) = (&prefill, &decode);
    let report = report(&flags(&trace, "least_loaded", &deployment));
    for pool in ["prefill", "decode"] {
        let pool = &report["router"]["pools"][pool];
        assert_eq!(pool["dispatched_requests"], 60);
    }
}

#[test]
fn every_policy_serves_both_deployments_and_tells_what_it_did() {
    let (_folder, trace) = trace_file(&rows());
    for mode in MODES {
        for (deployment, pools) in [
            (AGGREGATED, &[("decode", 3)][..]),
            (DISAGGREGATED, &[("prefill", 2), ("decode", 3)]),
        ] {
            let flags = flags(&trace, mode, deployment);
            let report_value = report(&flags);
            assert_eq!(report_value["completed_requests"], 60, "{mode}");
            let router = &report_value["router"];
            assert_eq!(router["mode"], mode);
            assert_eq!(router["dispatched_requests"], 60, "{mode}");
            for &(pool, workers) in pools {
                let pool = &router["pools"][pool];
                assert_eq!(pool["dispatched_requests"], 60, "{mode}");
                assert_eq!(pool["workers"], workers, "{mode}");
                let uneven = &pool["imbalance"]["mean_max_over_mean"];
                let most = f64::from(workers) + 1e-9;
                assert!(
                    (1.0..=most).contains(&uneven.as_f64().unwrap()),
                    "{mode}: {uneven}"
                );
            }
            let indexed = matches!(mode, "kv_router" | "prefix_only");
            let [believed, best] = ["believed_hit_rate", "best_available_hit_rate"]
                .map(|key| router.get(key).and_then(Value::as_f64));
            assert_eq!(believed.is_some(), indexed, "{mode}");
            assert!(believed <= best, "{mode}: {believed:?} {best:?}");
            assert_eq!(report_value, report(&flags), "{mode}: two runs differ");
        }
    }
}

#[test]
fn policies_keep_their_promises() {
    let (_folder, trace) = trace_file(&rows());
    let of = |mode| report(&flags(&trace, mode, AGGREGATED));
    let reuse = |report: &Value| report["prefix_cache_reused_ratio"].as_f64().unwrap();
    let prefix = of("prefix_only");
    let hits = |key: &str| prefix["router"][key].as_f64();
    assert_eq!(hits("believed_hit_rate"), hits("best_available_hit_rate"));
    // Of 15 blocks of a session's prompts, 10 are in the turn before: all of
    // them are found by policies that go back there, and by no other.
    let most = 10.0 / 15.0;
    assert_eq!(reuse(&prefix), most);
    assert_eq!(reuse(&of("session_affinity")), most);
    for mode in ["random", "least_loaded", "power_of_two"] {
        assert!(reuse(&of(mode)) < 0.5, "{mode}");
    }
}

#[test]
fn seeds_decide_what_is_random_and_nothing_else() {
    let (_folder, trace) = trace_file(&rows());
    let latency = |mode, seed| {
        let mut flags = flags(&trace, mode, AGGREGATED);
        flags.extend(["--seed", seed]);
        report(&flags)["mean_ttft_ms"].clone()
    };
    for mode in ["random", "power_of_two"] {
        assert_ne!(latency(mode, "1"), latency(mode, "2"), "{mode}");
    }
    for mode in [
        "round_robin",
        "least_loaded",
        "session_affinity",
        "prefix_only",
    ] {
        assert_eq!(latency(mode, "1"), latency(mode, "2"), "{mode}");
    }
}

#[test]
fn reports_are_equal_to_the_byte_and_pages_have_a_panel() {
    let (folder, trace) = trace_file(&rows());
    let page = folder.path().join("page.html");
    let mut args = vec!["replay"];
    args.extend(flags(&trace, "kv_router", DISAGGREGATED));
    args.extend(["--json", "--html", page.to_str().unwrap()]);
    let [one, two] = [(); 2].map(|()| {
        let output = dynosim(&args);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    });
    assert_eq!(one, two);
    let page = std::fs::read_to_string(page).unwrap();
    for title in [
        "<h2>How requests were routed</h2>",
        "<h3>Prefix hits as the router saw them</h3>",
        "<h3>Load imbalance</h3>",
    ] {
        assert!(page.contains(title), "{title}");
    }
}

#[test]
fn a_single_worker_has_no_router_to_speak_of() {
    let (_folder, trace) = trace_file(&rows());
    let report = report(&flags(&trace, "least_loaded", &["--num-workers", "1"]));
    assert!(report.get("router").is_none());
}

#[test]
fn mistaken_modes_are_told_what_there_is() {
    let (_folder, trace) = trace_file(&rows());
    for (slip, meant) in [
        ("round-robin", "round_robin"),
        ("sesion_affinity", "session_affinity"),
        ("power_of_2", "power_of_two"),
    ] {
        let failure = Plan::from_flags(flags(&trace, slip, AGGREGATED)).unwrap_err();
        assert_eq!(failure.code(), 2);
        let text = failure.to_string();
        assert!(text.contains(&format!("'{meant}'")), "{text}");
        assert!(MODES.iter().all(|mode| text.contains(mode)), "{text}");
    }
    for mode in MODES.into_iter().filter(|&mode| mode != "kv_router") {
        let mut flags = flags(&trace, mode, AGGREGATED);
        flags.extend(["--router-config", "{}"]);
        let text = Plan::from_flags(flags).unwrap_err().to_string();
        assert!(text.contains("kv_router") && text.contains(mode), "{text}");
    }
}

#[test]
fn help_and_completions_list_every_mode() {
    for args in [&["replay", "--help"][..], &["completions", "zsh"]] {
        let text = stdout(&dynosim(args));
        for mode in MODES {
            assert!(text.contains(mode), "{args:?}: {mode}");
        }
    }
}
