//! Operations that the families of models share.

use super::{NamedOp, OpKind, Parallelism, Setting};
use crate::model_spec::ModelSpec;
use crate::quant::WeightFormat;

/// A name for prefill and one for decode.
macro_rules! phased {
    ($phase:expr, $name:literal) => {
        match $phase {
            $crate::oplist::layer::Phase::Prefill => concat!("context_", $name),
            $crate::oplist::layer::Phase::Decode => concat!("generation_", $name),
        }
    };
}
pub(super) use phased;

/// Which kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Prefill,
    Decode,
}

impl Phase {
    /// How often something runs that runs once in each of `layers` layers.
    pub(super) fn times(self, setting: &Setting<'_>, layers: f64) -> f64 {
        match self {
            Self::Prefill => layers,
            Self::Decode => layers * setting.draft_scale(),
        }
    }
}

/// The embedding table, `split` ways.
pub(super) fn embedding(model: &ModelSpec, split: u64) -> OpKind {
    OpKind::Embedding {
        rows: u64::from(model.vocab) / split,
        width: u64::from(model.hidden),
    }
}

/// A residual addition and a norm: two vectors in, two out.
pub(super) fn add_norm(hidden: u64) -> OpKind {
    OpKind::Elementwise {
        elements: 4 * hidden,
    }
}

/// The language-model head, `split` ways, never quantised.
pub(super) fn logits(model: &ModelSpec, split: u64) -> OpKind {
    OpKind::Gemm {
        n: u64::from(model.vocab) / split,
        k: u64::from(model.hidden),
        format: WeightFormat::Bfloat16,
        low_precision_input: false,
    }
}

/// The hops between pipeline stages.
pub(super) fn p2p(setting: &Setting<'_>, phase: Phase) -> NamedOp {
    let stages = setting.parallel.pp;
    NamedOp::new(
        phased!(phase, "p2p"),
        phase.times(setting, f64::from(stages - 1)),
        OpKind::P2p {
            width: u64::from(setting.model.hidden),
            stages,
        },
    )
}

/// Key-value heads on one GPU.
pub(super) fn kv_heads(model: &ModelSpec, parallel: Parallelism) -> u32 {
    model.kv_heads.div_ceil(parallel.tp)
}

/// Elements of a token's queries on one GPU.
pub(super) fn query_width(setting: &Setting<'_>) -> u64 {
    u64::from(setting.model.heads) * u64::from(setting.model.head_dim)
        / u64::from(setting.parallel.tp)
}

/// Elements of a token's queries, keys and values on one GPU.
pub(super) fn qkv_width(setting: &Setting<'_>) -> u64 {
    let kv = u64::from(kv_heads(setting.model, setting.parallel));
    query_width(setting) + 2 * u64::from(setting.model.head_dim) * kv
}

/// Attention with a sliding window in tokens, 0 for none.
pub(super) fn attention(setting: &Setting<'_>, phase: Phase, window: u32) -> OpKind {
    let (model, formats) = (setting.model, setting.formats);
    let heads = model.heads / setting.parallel.tp;
    let kv_heads = kv_heads(model, setting.parallel);
    match phase {
        Phase::Prefill => OpKind::ContextAttention {
            heads,
            kv_heads,
            head_dim: model.head_dim,
            window,
            kv: formats.kv_cache,
            attention: formats.attention,
            qk_norm: model.qk_norm,
        },
        Phase::Decode => OpKind::GenerationAttention {
            heads,
            kv_heads,
            head_dim: model.head_dim,
            window,
            kv: formats.kv_cache,
        },
    }
}
