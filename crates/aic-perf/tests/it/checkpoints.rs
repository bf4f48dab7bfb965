//! Models from directories: how their quantisation is read, and steps of those that are quantised in part.
//!
//! `checkpoints.json` has made-up configurations with what the reference resolved them to (formats of matrix
//! multiplications, experts, prefill attention, KV cache), recorded for this crate.

use std::path::Path;

use aic_perf::{AicConfig, AicEngine, AicError, Formats};
use serde_json::Value;

/// The reference breaks on these; here they have an answer: int8 and fp4 weights of a dense model.
const BROKEN_THERE: [&str; 2] = ["ct_int8", "ct_float4"];
/// The reference drops mxfp4 experts of a mixed checkpoint; here they count.
const BETTER_HERE: &str = "mixed3";

#[test]
fn quantisation_is_resolved_as_the_reference_does() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        if BROKEN_THERE.contains(&name) || name == BETTER_HERE {
            continue;
        }
        let dir = directory(&case);
        for backend in ["vllm", "sglang"] {
            let ours = engine(dir.path(), "b200", backend, 1).map(|engine| engine.formats());
            match (ours, &case[backend]) {
                (Ok(ours), Value::Array(theirs)) => {
                    assert_eq!(&names(ours), theirs, "{name} {backend}");
                }
                (Err(AicError::ModelField { .. }), Value::Object(_)) => {}
                (ours, theirs) => panic!("{name} {backend}: {ours:?}, {theirs}"),
            }
        }
    }
}

#[test]
fn what_the_reference_breaks_on_is_answered() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let expected = match name {
            "ct_int8" => "int8_wo",
            "ct_float4" | "mixed3" => "w4a16_mxfp4",
            _ => continue,
        };
        let dir = directory(&case);
        let formats = engine(dir.path(), "b200", "vllm", 1).unwrap().formats();
        assert_eq!(formats.moe.name(), expected);
    }
}

#[test]
fn steps_of_partly_quantised_models() {
    let mut compared = 0;
    for case in cases() {
        let dir = directory(&case);
        for step in case["steps"].as_array().into_iter().flatten() {
            let tp = u32::try_from(step[2].as_u64().unwrap()).unwrap();
            let (system, backend) = (step[0].as_str().unwrap(), step[1].as_str().unwrap());
            let engine = engine(dir.path(), system, backend, tp).unwrap();
            let label = format!("{} {step}", case["name"]);
            compare(&engine.prefill_ms(3, 900, 100), &step[3], &label);
            compare(&engine.decode_ms(17, 3000, 2), &step[4], &label);
            compared += 1;
        }
    }
    assert!(compared >= 50);
}

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn directory(case: &Value) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), case["config"].to_string()).unwrap();
    if !case["hf_quant"].is_null() {
        let file = serde_json::json!({"quantization": case["hf_quant"]});
        std::fs::write(dir.path().join("hf_quant_config.json"), file.to_string()).unwrap();
    }
    dir
}

fn engine(model: &Path, system: &str, backend: &str, tp: u32) -> Result<AicEngine, AicError> {
    let mut config = AicConfig::new(system, backend, model.to_str().unwrap());
    config.tp = tp;
    config.moe_ep = Some(tp);
    config.bf16_attention_fallback = false;
    AicEngine::new(&config)
}

fn names(formats: Formats) -> Vec<Value> {
    [
        formats.gemm.name(),
        formats.moe.name(),
        formats.attention.name(),
        formats.kv_cache.name(),
    ]
    .map(Value::from)
    .to_vec()
}

fn compare(ours: &Result<f64, AicError>, theirs: &Value, label: &str) {
    match (ours, theirs.as_f64()) {
        (Ok(ours), Some(theirs)) => {
            assert!((ours / theirs - 1.0).abs() < 1e-4, "{label}: {ours}");
        }
        (Err(_), None) => {}
        _ => panic!("{label}: {ours:?}"),
    }
}

/// Dimensions as large as are taken overflow nowhere.
#[test]
fn giants_have_an_answer_or_an_error() {
    let count = 1 << 14;
    let width = 1 << 24;
    for architecture in [
        "LlamaForCausalLM",
        "GptOssForCausalLM",
        "DeepseekV3ForCausalLM",
    ] {
        let config = serde_json::json!({
            "architectures": [architecture], "num_hidden_layers": count, "num_attention_heads": count,
            "num_key_value_heads": count, "head_dim": count, "hidden_size": width, "intermediate_size": width,
            "vocab_size": width, "num_experts_per_tok": count, "num_experts": count, "moe_intermediate_size": width,
            "kv_lora_rank": width, "max_position_embeddings": u64::MAX
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        for backend in ["vllm", "sglang", "trtllm"] {
            let engine = engine(dir.path(), "h200", backend, 1).unwrap();
            assert!(engine.kv_capacity(aic_perf::KvQuery::default()).is_err());
            for size in [1, u32::MAX] {
                for time in [
                    engine.prefill_ms(1, size, 0),
                    engine.decode_ms(size, size, 2),
                ] {
                    assert!(time.is_err() || time.is_ok_and(|ms| ms.is_finite() && ms >= 0.0));
                }
            }
        }
    }
}
