//! Promises for any input: an answer that is a time, or an error that says what would be right.

use std::sync::LazyLock;

use aic_perf::{
    AicConfig, AicEngine, AicError, AicStepModel, AttentionFormat, KvQuery, MixedStep, VersionRule,
};
use proptest::prelude::*;
use sim_api::{Coverage, DecodeStep, PrefillStep, StepTimeModel};

fn engine(system: &str, backend: &str, model: &str, tp: u32) -> AicEngine {
    let mut config = AicConfig::new(system, backend, model);
    config.tp = tp;
    config.moe_ep = Some(tp);
    AicEngine::new(&config).unwrap()
}

fn message(change: impl FnOnce(&mut AicConfig)) -> String {
    let mut config = AicConfig::new("h200", "vllm", "Qwen/Qwen3-32B");
    change(&mut config);
    match AicEngine::new(&config) {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn wrong_configurations_name_what_would_be_right() {
    for (message, words) in [
        (
            message(|c| c.system = "h20".into()),
            ["unknown GPU \"h20\"", "h200"],
        ),
        (
            message(|c| c.system = "l4".into()),
            ["no tables for GPU \"l4\"", "l40s"],
        ),
        (
            message(|c| c.backend = "trtlm".into()),
            ["unknown backend \"trtlm\"", "did you mean \"trtllm\""],
        ),
        (
            message(|c| c.backend_version = Some("9.9".into())),
            ["\"9.9\"", "0.24.0"],
        ),
        (
            message(|c| c.model = "Qwen/Qwen3-32".into()),
            ["did you mean \"Qwen/Qwen3-32B\"", "config.json"],
        ),
        (
            message(|c| c.model = "/no/such/model".into()),
            ["/no/such/model", "config.json"],
        ),
        (
            message(|c| c.tp = 3),
            ["tensor-parallel size 3", "64 attention heads"],
        ),
        (message(|c| c.tp = 0), ["tensor-parallel size is 0", "1 to"]),
        (
            message(|c| c.pp = 1 << 20),
            ["pipeline-parallel size", "4096"],
        ),
        (
            message(|c| c.nextn = 1000),
            ["1000 draft tokens", "at most"],
        ),
        (
            message(|c| c.perf_data = Some("/no/such/dir".into())),
            ["/no/such/dir", "h200_sxm__vllm"],
        ),
    ] {
        for word in words {
            assert!(message.contains(word), "{message:?} lacks {word:?}");
        }
    }
}

#[test]
fn unknown_releases_warn_where_that_is_asked_for() {
    let mut config = AicConfig::new("h200", "sglang", "Qwen/Qwen3-8B");
    config.backend_version = Some("0.5.6.post2".into());
    assert_eq!(AicEngine::new(&config).unwrap().warnings().len(), 1);
    config.backend_version = Some("1.0".into());
    assert!(AicEngine::new(&config).is_err());
    config.version_rule = VersionRule::MapToCurrent;
    let engine = AicEngine::new(&config).unwrap();
    assert!(engine.warnings()[0].contains(engine.backend_version()));
}

#[test]
fn bfloat16_attention_stands_in_where_fp8_was_not_measured() {
    let mut config = AicConfig::new("h200", "sglang", "deepseek-ai/DeepSeek-V3");
    (config.tp, config.moe_ep) = (8, Some(8));
    let filled = AicEngine::new(&config).unwrap();
    assert!(filled.attention_fell_back());
    assert!(
        filled
            .warnings()
            .iter()
            .any(|warning| warning.contains("bfloat16"))
    );

    config.formats.attention = Some(AttentionFormat::Bfloat16);
    let asked = AicEngine::new(&config).unwrap();
    assert!(!asked.attention_fell_back());
    assert_eq!(
        filled.prefill_ms(2, 700, 100),
        asked.prefill_ms(2, 700, 100)
    );

    config.formats.attention = None;
    config.bf16_attention_fallback = false;
    let strict = AicEngine::new(&config).unwrap();
    assert!(matches!(
        strict.prefill_ms(2, 700, 100),
        Err(AicError::MissingPerfData { .. })
    ));
    assert!(strict.prefill_unavailable().is_some() && filled.prefill_unavailable().is_none());
    assert!(strict.decode_unavailable().is_none());
    assert_eq!(strict.decode_ms(2, 700, 2), filled.decode_ms(2, 700, 2));

    let measured = engine("h200", "trtllm", "Qwen/Qwen3-32B-FP8", 1);
    assert!(!measured.attention_fell_back());
    assert_eq!(measured.formats().attention, AttentionFormat::Fp8);
}

#[test]
fn a_format_the_gpu_lacks_is_named() {
    let engine = engine("a100", "vllm", "Qwen/Qwen3-32B-FP8", 1);
    let error = engine.prefill_ms(1, 100, 0).unwrap_err();
    assert_eq!(engine.prefill_unavailable(), Some(&error));
    assert!(
        matches!(error, AicError::MissingSystemFlops { .. }),
        "{error}"
    );
}

#[test]
fn impossible_steps_are_errors() {
    let engine = engine("h200", "vllm", "Qwen/Qwen3-8B", 1);
    for (batch, isl, prefix) in [(0, 10, 0), (1, 10, 10), (1, 0, 0), (1 << 20, 1 << 20, 0)] {
        let error = engine.prefill_ms(batch, isl, prefix).unwrap_err();
        assert!(matches!(error, AicError::InvalidStep(_)), "{error}");
    }
    assert_eq!(engine.decode_ms(0, 10, 2), Ok(0.0));
    assert_eq!(engine.decode_ms(1, 10, 1), Ok(0.0));
    assert!(engine.decode_ms(1, 10, u32::MAX).is_err());
    assert!(engine.decode_per_op(0, 10).is_err());
}

#[test]
fn memory_parameters_out_of_range_are_named() {
    let engine = engine("h200", "vllm", "Qwen/Qwen3-8B", 1);
    let query = |change: fn(&mut KvQuery)| {
        let mut query = KvQuery::default();
        change(&mut query);
        engine.kv_capacity(query).map(|capacity| capacity.blocks)
    };
    assert!(query(|_| {}).unwrap() > 0);
    for change in [
        (|query| query.block_size = 0) as fn(&mut KvQuery),
        |query| query.max_num_batched_tokens = 0,
        |query| query.memory_fraction = Some(0.0),
        |query| query.memory_fraction = Some(1.5),
        |query| query.memory_fraction = Some(f64::NAN),
    ] {
        assert!(matches!(query(change), Err(AicError::MemoryField { .. })));
    }
    assert!(matches!(
        query(|query| query.memory_fraction = Some(0.01)),
        Err(AicError::NoKvBudget { .. })
    ));
    assert!(matches!(
        query(|query| query.max_num_batched_tokens = u32::MAX),
        Err(AicError::NoKvBudget { .. })
    ));
}

/// Engines of every family, each framework once.
static ENGINES: LazyLock<Vec<AicEngine>> = LazyLock::new(|| {
    vec![
        engine("h200", "vllm", "nvidia/Llama-3.1-8B-Instruct-FP8", 1),
        engine("b200", "trtllm", "nvidia/Qwen3-235B-A22B-NVFP4", 8),
        engine("h100", "sglang", "openai/gpt-oss-120b", 4),
        engine("h200", "sglang", "deepseek-ai/DeepSeek-V3", 8),
        engine("a100", "vllm", "Qwen/Qwen3-8B", 2),
    ]
});

/// Numbers of every size.
fn size() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0_u32..32, any::<u32>()).prop_map(|(shift, number)| number >> shift)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_load_has_a_time_or_an_error(loads in prop::collection::vec((size(), size(), size(), size()), 24)) {
        for engine in &*ENGINES {
            for (a, b, c, d) in &loads {
                for time in [
                    engine.prefill_ms(*a, *b, *c),
                    engine.decode_ms(*a, *b, *d % 2000),
                    engine.mixed_ms(MixedStep {
                        prefill_tokens: *a,
                        decode_requests: *b,
                        isl: *c,
                        osl: *d,
                        prefix: 0,
                    }).map(|time| time.total),
                ].into_iter().flatten() {
                    prop_assert!(time.is_finite() && time >= 0.0, "{a} {b} {c} {d}: {time}");
                }
                let mut model = AicStepModel::new(engine.clone());
                let (batch, isl, prefix) = (*a, *b, *c);
                if let Ok(time) = model.prefill(PrefillStep { batch, isl, prefix }) {
                    prop_assert!(time.ms.is_finite() && time.ms >= 0.0);
                }
                let step = DecodeStep { batch, active_kv_tokens: 0, context: isl, kv_capacity_tokens: 0 };
                if let Ok(time) = model.decode(step) {
                    prop_assert!(time.ms.is_finite() && (time.ms >= 1.0 || batch == 0));
                }
            }
        }
    }

    /// The prepared row of a batch gives what the operations one by one add up to.
    #[test]
    fn a_decode_step_is_the_sum_of_its_operations(loads in prop::collection::vec((1_u32..3000, 0_u32..300_000), 40)) {
        for engine in &*ENGINES {
            for (batch, context) in &loads {
                let step = engine.decode(*batch, *context).unwrap();
                let parts = engine.decode_per_op(*batch, *context).unwrap();
                let sum: f64 = parts.iter().map(|op| op.time.ms).sum();
                // Beyond the tables a row reads utilisations between nodes.
                let tolerance = if step.coverage == Coverage::Extrapolated { 6e-5 } else { 1e-12 };
                prop_assert!((step.ms / sum - 1.0).abs() < tolerance, "{batch} {context}: {step:?} {sum}");
                let weakest = parts.iter().map(|op| op.time.coverage).max();
                prop_assert_eq!(Some(step.coverage), weakest);
            }
        }
    }
}

#[test]
fn coverage_tells_measured_from_carried() {
    let engine = engine("h200", "vllm", "meta-llama/Meta-Llama-3.1-8B", 1);
    let of = |batch, context| engine.decode(batch, context).unwrap().coverage;
    assert_eq!(of(8, 5000), Coverage::Interpolated);
    assert_eq!(of(8, 3_000_000), Coverage::Extrapolated);
    let prefill = |batch, isl| engine.prefill(batch, isl, 0).unwrap().coverage;
    assert_eq!(prefill(1, 1000), Coverage::Interpolated);
    assert_eq!(prefill(1, 3_000_000), Coverage::Extrapolated);
    let parts = engine.prefill_per_op(1, 1024, 0).unwrap();
    let projection = parts
        .iter()
        .find(|op| op.name == "context_proj_gemm")
        .unwrap();
    assert_eq!(projection.time.coverage, Coverage::Measured);
    let norm = parts
        .iter()
        .find(|op| op.name == "context_add_norm_1")
        .unwrap();
    assert_eq!(norm.time.coverage, Coverage::Formula);
}

#[test]
fn clones_on_other_threads_give_equal_times() {
    let engine = engine("h200", "vllm", "Qwen/Qwen3-32B", 4);
    let times = |engine: &AicEngine| -> Vec<f64> {
        (1..200)
            .map(|batch| engine.decode_ms(batch, 1000 + batch * 7, 2).unwrap())
            .collect()
    };
    let here = times(&engine);
    let handles: Vec<_> = (0..4)
        .map(|_| {
            let engine = engine.clone();
            std::thread::spawn(move || times(&engine))
        })
        .collect();
    for handle in handles {
        assert_eq!(handle.join().unwrap(), here);
    }
}

#[test]
fn weights_per_gpu_never_rise_with_tensor_parallelism() {
    let mut compared = 0;
    for model in aic_perf::ModelSpec::bundled_ids() {
        let mut last = u64::MAX;
        for tp in [1, 2, 4, 8] {
            let mut config = AicConfig::new("b200", "trtllm", model);
            config.tp = tp;
            config.moe_ep = Some(tp);
            let query = KvQuery {
                // All of memory, so that large models on few GPUs have an answer too.
                memory_fraction: Some(1.0),
                ..KvQuery::default()
            };
            let Ok(capacity) = AicEngine::new(&config).and_then(|engine| engine.kv_capacity(query))
            else {
                continue;
            };
            assert!(capacity.weights_bytes <= last, "{model} at tp {tp}");
            last = capacity.weights_bytes;
            compared += 1;
        }
    }
    assert!(compared > 40, "only {compared} capacities were compared");
}
