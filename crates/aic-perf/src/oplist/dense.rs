//! Models with grouped-query attention and a dense feed-forward block.

use super::layer::{
    Phase, add_norm, attention, embedding, logits, p2p, phased, qkv_width, query_width,
};
use super::{NamedOp, OpKind, OpLists, Setting};

pub(super) fn lists(setting: &Setting<'_>) -> OpLists {
    OpLists {
        prefill: list(setting, Phase::Prefill),
        decode: list(setting, Phase::Decode),
    }
}

fn list(setting: &Setting<'_>, phase: Phase) -> Vec<NamedOp> {
    let (model, tp) = (setting.model, u64::from(setting.parallel.tp));
    let hidden = u64::from(model.hidden);
    let inter = u64::from(model.inter);
    let once = phase.times(setting, 1.0);
    let layers = phase.times(setting, f64::from(model.layers));
    let gemm = |n, k, low_precision_input| OpKind::Gemm {
        n,
        k,
        format: setting.formats.gemm,
        low_precision_input,
    };
    let all_reduce = || OpKind::AllReduce {
        width: hidden,
        gpus: setting.parallel.tp,
    };
    let gate = 2 * inter / tp;
    vec![
        NamedOp::new(phased!(phase, "embedding"), once, embedding(model, tp)),
        NamedOp::new(phased!(phase, "add_norm_1"), layers, add_norm(hidden)),
        NamedOp::new(
            phased!(phase, "qkv_gemm"),
            layers,
            gemm(qkv_width(setting), hidden, false),
        ),
        NamedOp::new(
            phased!(phase, "attention"),
            layers,
            attention(setting, phase, 0),
        ),
        NamedOp::new(
            phased!(phase, "proj_gemm"),
            layers,
            gemm(hidden, query_width(setting), true),
        ),
        NamedOp::new(phased!(phase, "add_norm_2"), layers, add_norm(hidden)),
        NamedOp::new(
            phased!(phase, "gate_ffn1_gemm"),
            layers,
            gemm(gate, hidden, false),
        ),
        NamedOp::new(
            phased!(phase, "act_gate"),
            layers,
            OpKind::Elementwise {
                elements: gate + inter / tp,
            },
        ),
        NamedOp::new(
            phased!(phase, "ffn2_gemm"),
            layers,
            gemm(hidden, inter / tp, true),
        ),
        NamedOp::new(phased!(phase, "logits_gemm"), once, logits(model, tp)),
        NamedOp::new(phased!(phase, "embedding_ar"), once, all_reduce()),
        NamedOp::new(phased!(phase, "ar_1"), layers, all_reduce()),
        NamedOp::new(phased!(phase, "ar_2"), layers, all_reduce()),
        p2p(setting, phase),
    ]
}
