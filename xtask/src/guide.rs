//! The planner guide's examples: its engine and its planner, for the tasks that
//! run them.

use serde_json::{Value, json};

/// The guide's planner, aggregated.
pub(crate) const PLANNER: &str = r#"{"mode":"agg","optimization_target":"sla","ttft_ms":1500,"itl_ms":50,"enable_throughput_scaling":true,"enable_load_scaling":true,"pre_deployment_sweeping_mode":"rapid","throughput_adjustment_interval_seconds":300,"load_adjustment_interval_seconds":10,"prefill_engine_num_gpu":1,"decode_engine_num_gpu":1}"#;

/// The guide's engine, with step times from tables of `version` or of the default one.
pub(crate) fn engine(version: Option<&str>) -> Value {
    let mut engine = json!({
        "aic_backend": "vllm",
        "aic_system": "h200_sxm",
        "aic_model_path": "nvidia/Llama-3.1-8B-Instruct-FP8",
        "aic_tp_size": 1,
    });
    if let Some(version) = version {
        engine["aic_backend_version"] = version.into();
    }
    engine
}

/// Flags of the guide's aggregated example, which writes its page to `planner_reports`.
pub(crate) fn aggregated(engine: &Value) -> serde_json::Result<Vec<String>> {
    let flags = [
        ("--planner-config", planner("agg")?),
        ("--extra-engine-args", engine.to_string()),
        ("--num-workers", "2".to_owned()),
    ];
    Ok(words(flags))
}

/// Flags of the guide's disaggregated example, which writes its page to `planner_reports`.
pub(crate) fn disaggregated(engine: &Value) -> serde_json::Result<Vec<String>> {
    let flags = [
        ("--planner-config", planner("disagg")?),
        ("--prefill-engine-args", engine.to_string()),
        ("--decode-engine-args", engine.to_string()),
        ("--num-prefill-workers", "1".to_owned()),
        ("--num-decode-workers", "1".to_owned()),
    ];
    Ok(words(flags))
}

fn planner(mode: &str) -> serde_json::Result<String> {
    let mut planner: Value = serde_json::from_str(PLANNER)?;
    planner["mode"] = mode.into();
    planner["report_filename"] = format!("{mode}.html").into();
    Ok(planner.to_string())
}

fn words<const N: usize>(flags: [(&str, String); N]) -> Vec<String> {
    let pairs = flags.into_iter();
    pairs
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
}
