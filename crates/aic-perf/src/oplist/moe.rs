//! Models with grouped-query attention and experts.

use super::layer::{
    Phase, add_norm, attention, embedding, logits, p2p, phased, qkv_width, query_width,
};
use super::{Half, NamedOp, OpKind, OpLists, Setting};
use crate::quant::WeightFormat;

/// How tokens spread over experts in the measurements that apply.
const DISTRIBUTION: &str = "power_law_1.2";

pub(super) fn lists(setting: &Setting<'_>) -> OpLists {
    OpLists {
        prefill: list(setting, Phase::Prefill),
        decode: list(setting, Phase::Decode),
    }
}

fn list(setting: &Setting<'_>, phase: Phase) -> Vec<NamedOp> {
    let (model, tp) = (setting.model, u64::from(setting.parallel.tp));
    let hidden = u64::from(model.hidden);
    let once = phase.times(setting, 1.0);
    let layers = phase.times(setting, f64::from(model.layers));
    let gemm = |n, k, low_precision_input| OpKind::Gemm {
        n,
        k,
        format: setting.formats.gemm,
        low_precision_input,
    };
    let mut ops = Vec::with_capacity(16);
    let mut full_attention_layers = layers;
    if let Some(window) = model.alternating_window {
        full_attention_layers = phase.times(setting, f64::from(model.layers) / 2.0);
        let windowed = attention(setting, phase, window);
        ops.push(NamedOp::new(
            phased!(phase, "attention"),
            full_attention_layers,
            windowed,
        ));
    }
    ops.extend([
        NamedOp::new(phased!(phase, "embedding"), once, embedding(model, tp)),
        NamedOp::new(phased!(phase, "add_norm_1"), layers, add_norm(hidden)),
        NamedOp::new(
            phased!(phase, "qkv_gemm"),
            layers,
            gemm(qkv_width(setting), hidden, false),
        ),
        NamedOp::new(
            phased!(phase, "attention"),
            full_attention_layers,
            attention(setting, phase, 0),
        ),
        NamedOp::new(
            phased!(phase, "proj_gemm"),
            layers,
            gemm(hidden, query_width(setting), true),
        ),
        NamedOp::new(phased!(phase, "add_norm_2"), layers, add_norm(hidden)),
    ]);
    ops.extend(experts(setting, phase, DISTRIBUTION));
    if phase == Phase::Decode {
        ops.push(NamedOp::new(
            phased!(phase, "logits_gemm"),
            once,
            logits(model, tp),
        ));
    }
    let embedding_ar = OpKind::AllReduce {
        width: hidden,
        gpus: setting.parallel.tp,
    };
    ops.push(NamedOp::new(
        phased!(phase, "embedding_ar"),
        once,
        embedding_ar,
    ));
    ops.push(p2p(setting, phase));
    ops
}

/// Routing, the way to the experts, the experts and the way back.
pub(super) fn experts(
    setting: &Setting<'_>,
    phase: Phase,
    distribution: &'static str,
) -> [NamedOp; 4] {
    let (model, parallel) = (setting.model, setting.parallel);
    let layers = phase.times(setting, f64::from(model.layers));
    let dispatch = |half| OpKind::MoeDispatch {
        hidden: model.hidden,
        moe_gpus: parallel.moe_gpus(),
        attention_dp: parallel.attention_dp,
        format: setting.formats.moe,
        half,
    };
    let router = OpKind::Gemm {
        n: u64::from(model.experts),
        k: u64::from(model.hidden),
        format: WeightFormat::Bfloat16,
        low_precision_input: false,
    };
    let moe = OpKind::Moe {
        hidden: model.hidden,
        inter: model.moe_inter,
        topk: model.topk,
        experts: model.experts,
        tp: parallel.moe_tp,
        ep: parallel.moe_ep,
        attention_dp: parallel.attention_dp,
        format: setting.formats.moe,
        distribution,
    };
    [
        NamedOp::new(phased!(phase, "router_gemm"), layers, router),
        NamedOp::new(
            phased!(phase, "moe_pre_dispatch"),
            layers,
            dispatch(Half::Pre),
        ),
        NamedOp::new(phased!(phase, "moe"), layers, moe),
        NamedOp::new(
            phased!(phase, "moe_post_dispatch"),
            layers,
            dispatch(Half::Post),
        ),
    ]
}
