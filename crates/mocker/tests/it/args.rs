//! Engine arguments: what is accepted, what is refused and how.

use mocker::{
    ArgsError, EngineKind, Factory, ParsedArgs, Preemption, SchedulePolicy, Scheduler,
    TransferTiming, engine_field_names,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sim_api::{EngineFactory, Pool, Quirk, Quirks, Role};

use crate::driver::{pool_engines, scheduler};

#[derive(Deserialize)]
struct Bad {
    name: String,
    args: Value,
    contains: String,
}

#[derive(Deserialize)]
struct Never {
    name: String,
    args: Value,
    isl: u32,
    osl: u32,
}

fn parse(args: &Value) -> Result<ParsedArgs, ArgsError> {
    ParsedArgs::from_value(args, Quirks::NONE)
}

fn error(args: &Value) -> String {
    parse(args).unwrap_err().to_string()
}

#[test]
fn refusals_read_like_the_reference() {
    let cases: Vec<Bad> = serde_json::from_str(include_str!("../fixtures/bad_args.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let message = ParsedArgs::from_value(&case.args, Quirks::ALL)
            .unwrap_err()
            .to_string();
        assert!(message.contains(&case.contains), "{}: {message}", case.name);
        if !case.name.ends_with("not_in_1_2_1") {
            assert!(error(&case.args).contains(&case.contains), "{}", case.name);
        }
    }
}

#[test]
fn what_hangs_the_reference_is_turned_away() {
    let cases: Vec<Never> =
        serde_json::from_str(include_str!("../fixtures/never_runs.json")).unwrap();
    for case in cases {
        for quirks in [Quirks::NONE, Quirks::ALL] {
            let config = ParsedArgs::from_value(&case.args, quirks).unwrap().config;
            let scheduler: Scheduler = scheduler(&config, Role::Aggregated, quirks);
            let factory = Factory::aggregated(pool_engines(scheduler));
            let answer = factory.check(Pool::Decode, case.isl, case.osl);
            assert!(answer.is_err(), "{}", case.name);
        }
    }
}

#[test]
fn defaults_are_the_reference_s() {
    let config = parse(&json!({})).unwrap().config;
    assert_eq!(config.block_tokens, 64);
    assert_eq!(config.blocks, None);
    assert_eq!(config.max_sequences, Some(256));
    assert_eq!(config.max_batched_tokens, Some(8192));
    assert!(config.prefix_caching && config.chunked_prefill);
    assert_eq!(config.preemption, Preemption::Lifo);
    assert_eq!(config.role, None);
    assert!(config.startup.is_zero());
    let sglang = parse(&json!({"engine_type": "sglang"})).unwrap().config;
    assert_eq!(sglang.block_tokens, 1);
    assert_eq!(sglang.sglang.chunked_prefill_tokens, 8192);
    let trtllm = parse(&json!({"engine_type": "trtllm"})).unwrap();
    assert_eq!(trtllm.config.block_tokens, 32);
    assert_eq!(trtllm.config.kind, EngineKind::Trtllm);
    assert_eq!(trtllm.notes.len(), 1);
}

#[test]
fn null_limits_are_unlimited() {
    let config = parse(&json!({"max_num_seqs": null, "max_num_batched_tokens": null}))
        .unwrap()
        .config;
    assert_eq!(
        (config.max_sequences, config.max_batched_tokens),
        (None, None)
    );
}

#[test]
fn a_wrong_type_is_named_or_under_the_quirk_passed_over() {
    let args = json!({"max_num_seqs": "many"});
    assert_eq!(
        error(&args),
        "max_num_seqs: expected a whole number, got \"many\""
    );
    let lax = ParsedArgs::from_value(&args, Quirks::ALL).unwrap();
    assert_eq!(lax.config.max_sequences, Some(256));
    assert_eq!(lax.notes.len(), 1);
    for strict in [
        json!({"worker_type": 1}),
        json!({"sglang": []}),
        json!({"sglang": {"page_size": "4"}}),
    ] {
        assert!(ParsedArgs::from_value(&strict, Quirks::ALL).is_err());
    }
}

#[test]
fn values_out_of_range_are_named() {
    for (args, contains) in [
        (
            json!({"num_gpu_blocks": -3}),
            "num_gpu_blocks: Validation error: must be at least 1, got -3",
        ),
        (
            json!({"num_gpu_blocks": 5_000_000_000_u64}),
            "must be at most 4294967295",
        ),
        (
            json!({"block_size": 1}),
            "block_size: Validation error: must be at least 2",
        ),
        (json!({"startup_time": -1}), "startup_time"),
        (json!({"startup_time": 1e300}), "startup_time"),
        (json!({"dp_size": 0}), "dp_size: Validation error"),
        (
            json!({"preemption_mode": "random"}),
            "Invalid preemption_mode 'random'",
        ),
        (json!({"worker_type": "both"}), "Invalid worker_type 'both'"),
        (
            json!({"is_prefill": true, "is_decode": true}),
            "cannot both be true",
        ),
        (
            json!({"is_prefill": true, "worker_type": "decode"}),
            "together",
        ),
        (json!({"aic_backend": "vllm"}), "aic_model_path"),
        (
            json!({"sglang": {"schedule_conservativeness": 2}}),
            "sglang.schedule_conservativeness",
        ),
        (
            json!({"sglang": {"pagesize": 2}}),
            "did you mean \"page_size\"",
        ),
        (
            json!({"engine_type": "sglang", "block_size": 8, "sglang": {"page_size": 4}}),
            "must be equal",
        ),
        (
            json!({"engine_type": "sglang", "block_size": 8, "sglang": {"chunked_prefill_size": 12}}),
            "multiple of block_size 8",
        ),
        (json!({"aic_nextn": 6}), "between 1 and 5"),
        (json!({"aic_nextn_accept_rates": "0.5"}), "needs aic_nextn"),
        (
            json!({"aic_nextn": 2, "aic_nextn_accept_rates": "0.5,x"}),
            "between 0 and 1, got \"x\"",
        ),
        (
            json!({"aic_nextn": 2, "decode_speedup_ratio": 2.0}),
            "needs decode_speedup_ratio 1",
        ),
        (json!([]), "must be a JSON object, got an array"),
    ] {
        let message = error(&args);
        assert!(message.contains(contains), "{args}: {message}");
    }
}

#[test]
fn later_fields_are_known_by_default_only() {
    let args = json!({
        "aic_nextn": 3, "aic_nextn_accept_rates": "0.9", "aic_mtp_seed": 7,
        "kv_transfer_timing_mode": "destination_missing", "max_model_len": 4096,
        "gpu_memory_utilization": 0.8,
    });
    let config = parse(&args).unwrap().config;
    let speculation = config.speculation.unwrap();
    assert_eq!(*speculation.accept_rates, [0.9, 0.0, 0.0]);
    assert_eq!(speculation.seed, 7);
    assert_eq!(config.transfer.timing, TransferTiming::DestinationMissing);
    assert_eq!(config.max_model_tokens, Some(4096));
    let refused = ParsedArgs::from_value(&args, Quirks::NONE.with(Quirk::RefuseLaterFeatures));
    let Err(ArgsError::UnknownFields(unknown)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(unknown.len(), 6);
}

#[test]
fn roles_come_in_two_spellings() {
    let role = |args: Value| parse(&args).unwrap().config.role;
    assert_eq!(role(json!({"worker_type": "prefill"})), Some(Role::Prefill));
    assert_eq!(role(json!({"is_decode": true})), Some(Role::Decode));
    assert_eq!(role(json!({"is_decode": false})), Some(Role::Aggregated));
}

#[test]
fn a_page_size_is_a_block_size() {
    let tokens = |args: Value| parse(&args).unwrap().config.block_tokens;
    let page = |engine: &str| json!({"engine_type": engine, "sglang": {"page_size": 8}});
    assert_eq!(tokens(page("sglang")), 8);
    assert_eq!(tokens(page("vllm")), 64);
    assert_eq!(tokens(json!({"engine_type": "sglang", "sglang": {}})), 1);
    let clash = error(&json!({"block_size": 4, "sglang": {"page_size": 8}}));
    assert_eq!(clash, "block_size 4 and sglang.page_size 8 must be equal");
}

#[test]
fn an_unknown_sglang_policy_means_fifo_and_is_remarked() {
    let parsed = parse(&json!({"sglang": {"schedule_policy": "dfs"}})).unwrap();
    assert_eq!(parsed.config.sglang.policy, SchedulePolicy::Fifo);
    assert_eq!(parsed.notes.len(), 1);
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,8}".prop_map(Value::from),
        Just(json!({})),
        Just(json!([1])),
    ]
}

proptest! {
    #[test]
    fn no_value_of_any_field_makes_it_panic(
        field in prop::sample::select(engine_field_names().collect::<Vec<_>>()),
        value in any_value(),
        lax: bool,
    ) {
        let quirks = if lax { Quirks::ALL } else { Quirks::NONE };
        let mut args = serde_json::Map::new();
        args.insert(field.to_owned(), value);
        if let Err(error) = ParsedArgs::from_value(&Value::Object(args), quirks) {
            prop_assert!(error.to_string().contains(field), "{error}");
        }
    }
}
