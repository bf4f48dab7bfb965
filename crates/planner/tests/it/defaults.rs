//! Where the default differs from the reference 1.2.1, the right-hand side of the compatibility table.

use planner::{Bootstrap, Pass, PlannerPolicy, PlannerSetup, parse_config};
use serde_json::{Value, json};
use sim_api::{
    Decision, Observation, PassRecord, PassRow, PoolObservation, Quirk, Quirks, Role,
    ScalingPolicy, Spread, Traffic, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

fn profile(gpus: u32) -> WorkerProfile {
    WorkerProfile {
        block_tokens: 100,
        blocks: 1000,
        max_batched_tokens: Some(2048),
        max_sequences: Some(64),
        role: Role::Aggregated,
        gpus,
        draft_tokens: 0,
    }
}

fn samples() -> Bootstrap {
    let prefill = (1..8_u64).map(|k| Pass {
        wall_s: 0.001 + 1e-5 * (250 * k) as f64,
        num_prefill: 1,
        prefill_tokens: 250 * k,
        ..Pass::default()
    });
    let decode = (1..8_u64).map(|k| Pass {
        wall_s: 0.004 + 1e-6 * (1000 * k * k) as f64,
        num_decode: k,
        decode_kv_tokens: 1000 * k * k,
        ..Pass::default()
    });
    Bootstrap {
        prefill: prefill.collect(),
        decode: decode.collect(),
    }
}

fn policy(fields: &Value, gpus: u32, quirks: Quirks) -> PlannerPolicy {
    let mut all = json!({
        "mode": "agg", "optimization_target": "sla", "load_predictor": "constant",
        "enable_load_scaling": true, "throughput_adjustment_interval_seconds": 60, "max_gpu_budget": -1,
    });
    all.as_object_mut()
        .expect("fields")
        .extend(fields.as_object().expect("fields").clone());
    let config = parse_config(&all, quirks).expect("a config").config;
    let setup = PlannerSetup {
        prefill: (all["mode"] == "disagg").then(|| profile(gpus)),
        decode: profile(gpus),
        bootstrap: Some(samples()),
        warm_up: Vec::new(),
    };
    PlannerPolicy::new(&config, &setup, quirks).expect("a policy")
}

/// Workers 0.. of a pool, each with one pass of this load: (queued prompt tokens, KV tokens).
fn pool(loads: &[(u64, u64)]) -> PoolObservation {
    let spread = |sum: u64| Spread {
        count: u32::from(sum > 0),
        sum,
        sum_of_squares: 0,
    };
    let ids = || (0..loads.len() as u32).map(WorkerId);
    PoolObservation {
        ready: ids().collect(),
        passes: ids()
            .zip(loads)
            .map(|(worker, &(queued, kv))| PassRow {
                worker,
                start: SimTime::ZERO,
                duration: SimDuration::from_ns(20_000_000),
                record: PassRecord {
                    decode_contexts: spread(kv),
                    queued_prefill: spread(queued),
                    ..PassRecord::default()
                },
            })
            .collect(),
        ..PoolObservation::default()
    }
}

fn tick(
    policy: &mut PlannerPolicy,
    prefill: Option<PoolObservation>,
    decode: PoolObservation,
    requests: u64,
) -> Decision {
    let traffic = Traffic {
        duration: SimDuration::from_ns(60_000_000_000),
        requests,
        input_tokens: 1000 * requests,
        output_tokens: 50 * requests,
        ..Traffic::default()
    };
    let now = policy.next_tick();
    policy
        .on_tick(&Observation {
            now,
            prefill,
            decode,
            traffic: Some(traffic),
        })
        .expect("a decision")
}

fn reason<'a>(decision: &'a Decision, name: &str) -> &'a str {
    decision.record.reasons.get(name).map_or("", String::as_str)
}

const BUSY: (u64, u64) = (90_000, 60_000);

#[test]
fn a_disaggregated_deployment_waits_for_its_workers() {
    for (quirks, repeats) in [
        (Quirks::NONE, false),
        (Quirks::NONE.with(Quirk::NoDisaggGate), true),
    ] {
        let mut policy = policy(&json!({"mode": "disagg"}), 1, quirks);
        let busy = || (Some(pool(&[BUSY])), pool(&[BUSY]));
        let (prefill, decode) = busy();
        let first = tick(&mut policy, prefill, decode, 0);
        assert_eq!(first.targets.and_then(|to| to.prefill), Some(2));
        assert_eq!(first.events[0].component, "prefill");
        let (prefill, decode) = busy();
        let second = tick(&mut policy, prefill, decode, 0);
        assert_eq!(second.targets.is_some(), repeats);
        if !repeats {
            for side in ["", "_prefill", "_decode"] {
                assert_eq!(
                    reason(&second, &format!("load{side}")),
                    "scaling_in_progress"
                );
            }
        }
    }
}

#[test]
fn budgets_count_gpus_and_null_charges_what_the_engines_use() {
    // Six GPUs hold three engines of two; counted as replicas they would hold four.
    for (quirks, wanted) in [
        (Quirks::NONE, 3),
        (Quirks::NONE.with(Quirk::BudgetCountsReplicas), 4),
    ] {
        let mut policy = policy(&json!({"max_gpu_budget": 6}), 2, quirks);
        let decision = tick(&mut policy, None, pool(&[BUSY; 3]), 0);
        let replicas = decision.targets.and_then(|to| to.decode).unwrap_or(3);
        assert_eq!(replicas, wanted);
    }
    for (quirks, hours) in [
        (Quirks::NONE, 5.0 * 4.0 / 3600.0),
        (Quirks::NONE.with(Quirk::NullGpusChargeNothing), 0.0),
    ] {
        let mut policy = policy(&json!({}), 2, quirks);
        let warned = policy
            .warnings()
            .iter()
            .any(|warning| warning.contains("decode_engine_num_gpu"));
        assert_eq!(warned, hours > 0.0);
        tick(&mut policy, None, pool(&[(0, 0); 2]), 0);
        let second = tick(&mut policy, None, pool(&[(0, 0); 2]), 0);
        assert!((second.record.values["gpu_hours"] - hours).abs() < 1e-12);
    }
}

#[test]
fn a_target_of_nothing_is_raised_to_one() {
    // A ceiling of one GPU cannot hold an engine of two.
    let fields = || json!({"max_gpu_budget": 1, "enable_throughput_scaling": false});
    let quirk = Quirks::NONE.with(Quirk::ScaleToZeroFails);
    let two = || pool(&[(0, 1000); 2]);
    let failing = tick(&mut policy(&fields(), 2, quirk), None, two(), 0);
    assert_eq!(failing.targets.and_then(|to| to.decode), Some(0));
    let clamped = tick(&mut policy(&fields(), 2, Quirks::NONE), None, two(), 0);
    assert_eq!(clamped.targets.and_then(|to| to.decode), Some(1));
    assert!(
        clamped.events[0].reason.contains("raised to 1"),
        "{:?}",
        clamped.events
    );
}

#[test]
fn an_idle_window_keeps_the_shape_and_no_router_index_means_no_hit_rate() {
    for quirks in [
        Quirks::NONE,
        Quirks::NONE
            .with(Quirk::IdleTrafficFeedsZero)
            .with(Quirk::PredictedHitRate),
    ] {
        let mut policy = policy(&json!({"load_adjustment_interval_seconds": 30}), 1, quirks);
        let mut last = None;
        for requests in [0, 60, 0, 0] {
            last = Some(tick(&mut policy, None, pool(&[(0, 1000)]), requests));
        }
        let last = last.expect("ticks").record;
        let old = quirks.has(Quirk::IdleTrafficFeedsZero);
        assert_eq!(
            last.values.get("predicted_isl"),
            Some(&if old { 0.0 } else { 1000.0 })
        );
        assert_eq!(
            last.values.get("predicted_kv_hit_rate"),
            old.then_some(&0.0)
        );
        let expected = if old {
            "model_not_ready"
        } else {
            "set_lower_bound"
        };
        assert_eq!(last.reasons["throughput"], expected);
    }
}

#[test]
fn passes_before_a_throughput_tick_are_learned() {
    for (quirks, learned) in [
        (Quirks::NONE, true),
        (Quirks::NONE.with(Quirk::PassCacheByHighestId), false),
    ] {
        // Load ticks at 45 and 90 s, throughput ticks at 60 s.
        let fields = json!({"load_adjustment_interval_seconds": 45, "max_num_fpm_samples": 1000});
        let mut policy = policy(&fields, 1, quirks);
        tick(&mut policy, None, pool(&[(0, 500)]), 10);
        let before = policy.planner().agg_model().samples().len();
        let seen = tick(&mut policy, None, pool(&[(0, 501)]), 10);
        assert!(seen.record.reasons.contains_key("throughput"));
        assert!(!seen.record.reasons.contains_key("load"));
        let after = policy.planner().agg_model().samples().len();
        assert_eq!(after - before, usize::from(learned));
    }
}
