//! Operations as the reference writes them.

use serde_json::Value;

use crate::oplist::{Half, NamedOp, OpKind};

/// The operation of a JSON object with `kind`, `name`, `scale_factor` and fields, of which the first two are optional.
pub(super) fn named_op(json: &Value) -> NamedOp {
    let name = json["name"].as_str().unwrap_or("").to_owned();
    let times = json["scale_factor"].as_f64().unwrap_or(1.0);
    let kind = op_kind(json["kind"].as_str().unwrap(), json);
    NamedOp::new(Box::leak(name.into_boxed_str()), times, kind)
}

pub(super) fn op_list(json: &Value) -> Vec<NamedOp> {
    json.as_array().unwrap().iter().map(named_op).collect()
}

/// The operation of a kind with fields.
pub(super) fn op_kind(kind: &str, json: &Value) -> OpKind {
    let wide = |field: &str| json[field].as_f64().unwrap() as u64;
    let size = |field: &str| u32::try_from(wide(field)).unwrap();
    let text = |field: &str| json[field].as_str().unwrap();
    let flag = |field: &str| json[field].as_bool().unwrap();
    let weights = |field: &str| text(field).parse().unwrap();
    let kv = || text("kv_cache_dtype").parse().unwrap();
    let attention = || text("fmha_quant_mode").parse().unwrap();
    let half = |pre| if pre { Half::Pre } else { Half::Post };
    match kind {
        "Embedding" => OpKind::Embedding {
            rows: wide("vocab_size"),
            width: wide("hidden_size"),
        },
        "Elementwise" => OpKind::Elementwise {
            elements: wide("bytes_per_token") / 2,
        },
        "Gemm" => OpKind::Gemm {
            n: wide("n"),
            k: wide("k"),
            format: weights("quant_mode"),
            low_precision_input: flag("low_precision_input"),
        },
        "ContextAttention" => OpKind::ContextAttention {
            heads: size("n"),
            kv_heads: size("n_kv"),
            head_dim: size("head_size"),
            window: size("window_size"),
            kv: kv(),
            attention: attention(),
            qk_norm: flag("use_qk_norm"),
        },
        "GenerationAttention" => OpKind::GenerationAttention {
            heads: size("n"),
            kv_heads: size("n_kv"),
            head_dim: size("head_size"),
            window: size("window_size"),
            kv: kv(),
        },
        "ContextMla" => OpKind::ContextMla {
            heads: size("num_heads"),
            kv: kv(),
            attention: attention(),
        },
        "GenerationMla" => OpKind::GenerationMla {
            heads: size("num_heads"),
            kv: kv(),
        },
        "MlaModuleContext" => OpKind::MlaContextModule {
            heads: size("num_heads"),
            native_heads: size("native_num_heads"),
            kv: kv(),
            attention: attention(),
            gemm: weights("gemm_quant_mode"),
        },
        "MlaModuleGeneration" => OpKind::MlaGenerationModule {
            heads: size("num_heads"),
            native_heads: size("native_num_heads"),
            kv: kv(),
            gemm: weights("gemm_quant_mode"),
        },
        "MlaBmm" => OpKind::MlaBmm {
            heads: size("num_heads"),
            format: weights("quant_mode"),
            half: half(flag("is_pre")),
        },
        "Moe" => OpKind::Moe {
            hidden: size("hidden_size"),
            inter: size("inter_size"),
            topk: size("topk"),
            experts: size("num_experts"),
            tp: size("moe_tp_size"),
            ep: size("moe_ep_size"),
            attention_dp: size("attention_dp_size"),
            format: weights("quant_mode"),
            distribution: Box::leak(text("workload_distribution").to_owned().into_boxed_str()),
        },
        "MoeDispatch" => OpKind::MoeDispatch {
            hidden: size("hidden_size"),
            moe_gpus: size("moe_tp_size") * size("moe_ep_size"),
            attention_dp: size("attention_dp_size"),
            format: weights("moe_quant"),
            half: half(flag("pre_dispatch")),
        },
        "CustomAllReduce" => OpKind::AllReduce {
            width: wide("hidden_size"),
            gpus: size("tp_size"),
        },
        "P2P" => OpKind::P2p {
            width: wide("hidden_size"),
            stages: size("pp_size"),
        },
        "Overlap" => OpKind::Overlap {
            a: op_list(&json["group_a"]),
            b: op_list(&json["group_b"]),
        },
        "Fallback" => OpKind::Fallback {
            primary: Box::new(named_op(&json["primary"])),
            parts: op_list(&json["fallback"]),
        },
        other => panic!("operation {other}"),
    }
}
