//! No input makes the planner panic.

use planner::{Bootstrap, Pass, PlannerPolicy, PlannerSetup, parse_config};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sim_api::{
    Observation, PassRecord, PassRow, PoolObservation, Quirks, Role, ScalingPolicy, Spread,
    Traffic, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

const NUMBERS: &[&str] = &[
    "throughput_adjustment_interval_seconds",
    "load_adjustment_interval_seconds",
    "max_gpu_budget",
    "min_gpu_budget",
    "min_endpoint",
    "decode_engine_num_gpu",
    "ttft_ms",
    "itl_ms",
    "prophet_window_size",
    "kalman_q_level",
    "kalman_r",
    "max_num_fpm_samples",
    "fpm_sample_bucket_size",
    "load_scaling_down_sensitivity",
    "load_min_observations",
    "speculative_nextn",
    "decode_scale_up_kv_rate",
    "decode_scale_down_kv_rate",
];

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..70_i64).prop_map(|n| json!(n)),
        1 => any::<i64>().prop_map(|n| json!(n)),
        1 => any::<f64>().prop_map(|n| json!(n)),
        1 => prop::sample::select(vec!["nan", "inf", "-1", "1e308", "x", ""]).prop_map(|text| json!(text)),
        1 => Just(json!(null)),
    ]
}

fn odd_fields() -> impl Strategy<Value = Map<String, Value>> {
    let base = (
        prop::sample::select(vec!["agg", "disagg"]),
        prop::sample::select(vec!["sla", "sla", "throughput", "latency", "load"]),
        prop::sample::select(vec!["constant", "kalman", "arima"]),
    );
    let odd = prop::collection::vec((prop::sample::select(NUMBERS), odd_value()), 0..4);
    (base, odd).prop_map(|((mode, target, predictor), odd)| {
        let mut fields = json!({
            "mode": mode, "optimization_target": target, "load_predictor": predictor, "enable_load_scaling": true,
            "prefill_scale_up_queue_tokens": 9, "prefill_scale_down_queue_tokens": 3,
            "decode_scale_up_kv_rate": 80, "decode_scale_down_kv_rate": 20,
        });
        let map = fields.as_object_mut().expect("fields");
        map.extend(odd.into_iter().map(|(name, value)| (name.to_owned(), value)));
        map.clone()
    })
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..5_u64, 3 => 0..200_000_u64, 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn row() -> impl Strategy<Value = PassRow> {
    (
        0..4_u32,
        0..50_u64,
        (count(), count(), count(), count(), count()),
    )
        .prop_map(
            |(worker, start, (nanos, tokens, kv, queued, waiting))| PassRow {
                worker: WorkerId(worker),
                start: SimTime::from_ns(start),
                duration: SimDuration::from_ns(nanos),
                record: PassRecord {
                    prefill_lengths: Spread {
                        count: tokens as u32,
                        sum: tokens,
                        sum_of_squares: 0,
                    },
                    prefill_tokens: tokens,
                    decode_contexts: Spread {
                        count: kv as u32,
                        sum: kv,
                        sum_of_squares: 0,
                    },
                    queued_prefill: Spread {
                        count: 1,
                        sum: queued,
                        sum_of_squares: 0,
                    },
                    queued_decode: Spread {
                        count: 1,
                        sum: waiting,
                        sum_of_squares: 0,
                    },
                    ..PassRecord::default()
                },
            },
        )
}

fn pool() -> impl Strategy<Value = PoolObservation> {
    (0..4_u32, prop::collection::vec(row(), 0..40)).prop_map(|(ready, passes)| PoolObservation {
        ready: (0..ready).map(WorkerId).collect(),
        passes,
        ..PoolObservation::default()
    })
}

fn traffic() -> impl Strategy<Value = Option<Traffic>> {
    let some = (count(), count(), count(), count(), any::<f64>()).prop_map(
        |(nanos, requests, isl, osl, rate)| Traffic {
            duration: SimDuration::from_ns(nanos),
            requests,
            input_tokens: isl,
            output_tokens: osl,
            hit_rate: (1, rate),
            decode_forwards: (isl, osl),
            ..Traffic::default()
        },
    );
    prop::option::of(some)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn odd_configurations_and_observations(
        fields in odd_fields(),
        compat in any::<bool>(),
        limits in (any::<u32>(), any::<u32>(), prop::option::of(any::<u32>()), 0..u32::MAX),
        ticks in prop::collection::vec((pool(), pool(), traffic()), 1..6),
    ) {
        let quirks = if compat { Quirks::ALL } else { Quirks::NONE };
        let Ok(loaded) = parse_config(&Value::Object(fields), quirks) else { return Ok(()); };
        let (block_tokens, blocks, limit, gpus) = limits;
        let profile = WorkerProfile {
            block_tokens,
            blocks,
            max_batched_tokens: limit,
            max_sequences: limit,
            role: Role::Aggregated,
            gpus,
            draft_tokens: gpus,
        };
        let decode = (1..9_u64).map(|k| Pass { wall_s: k as f64, num_decode: k, decode_kv_tokens: k * k, ..Pass::default() });
        let bootstrap = Bootstrap { prefill: Vec::new(), decode: decode.collect() };
        let setup = PlannerSetup { prefill: Some(profile), decode: profile, bootstrap: Some(bootstrap), warm_up: Vec::new() };
        let Ok(mut policy) = PlannerPolicy::new(&loaded.config, &setup, quirks) else { return Ok(()); };
        for (prefill, decode, traffic) in ticks {
            let now = policy.next_tick();
            let decision = policy.on_tick(&Observation { now, prefill: Some(prefill), decode, traffic });
            let decision = decision.expect("a decision");
            prop_assert!(policy.next_tick() >= now);
            prop_assert_eq!(decision.record.at, now);
        }
    }
}
