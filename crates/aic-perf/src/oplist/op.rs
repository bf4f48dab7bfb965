//! One operation of a step, not yet bound to measurements.

use crate::quant::{AttentionFormat, KvFormat, WeightFormat};

/// Which half of a pair around another operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// Before it.
    Pre,
    /// After it.
    Post,
}

/// What an operation computes and its shape on one GPU. Widths are elements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OpKind {
    Embedding {
        /// Rows held; counts for memory only.
        rows: u64,
        width: u64,
    },
    Elementwise {
        /// Elements read and written for each token.
        elements: u64,
    },
    Gemm {
        n: u64,
        k: u64,
        format: WeightFormat,
        /// The input is quantised already.
        low_precision_input: bool,
    },
    ContextAttention {
        heads: u32,
        kv_heads: u32,
        head_dim: u32,
        window: u32,
        kv: KvFormat,
        attention: AttentionFormat,
        qk_norm: bool,
    },
    GenerationAttention {
        heads: u32,
        kv_heads: u32,
        head_dim: u32,
        window: u32,
        kv: KvFormat,
    },
    ContextMla {
        heads: u32,
        kv: KvFormat,
        attention: AttentionFormat,
    },
    GenerationMla {
        heads: u32,
        kv: KvFormat,
    },
    MlaContextModule {
        heads: u32,
        native_heads: u32,
        kv: KvFormat,
        attention: AttentionFormat,
        gemm: WeightFormat,
    },
    MlaGenerationModule {
        heads: u32,
        native_heads: u32,
        kv: KvFormat,
        gemm: WeightFormat,
    },
    MlaBmm {
        heads: u32,
        format: WeightFormat,
        half: Half,
    },
    Moe {
        hidden: u32,
        inter: u32,
        topk: u32,
        experts: u32,
        tp: u32,
        ep: u32,
        attention_dp: u32,
        format: WeightFormat,
        distribution: &'static str,
    },
    MoeDispatch {
        hidden: u32,
        moe_gpus: u32,
        attention_dp: u32,
        format: WeightFormat,
        half: Half,
    },
    AllReduce {
        width: u64,
        gpus: u32,
    },
    P2p {
        width: u64,
        stages: u32,
    },
    /// Two groups at once: the slower counts.
    Overlap {
        a: Vec<NamedOp>,
        b: Vec<NamedOp>,
    },
    /// A measured block, or its parts where it was not measured.
    Fallback {
        primary: Box<NamedOp>,
        parts: Vec<NamedOp>,
    },
}

/// An operation and how often it runs in a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Op {
    pub(crate) kind: OpKind,
    /// How often, not always whole where drafting counts.
    pub(crate) times: f64,
}

/// An operation under the name it is reported by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamedOp {
    pub(crate) name: &'static str,
    pub(crate) op: Op,
}

impl NamedOp {
    pub(crate) fn new(name: &'static str, times: f64, kind: OpKind) -> Self {
        Self {
            name,
            op: Op { kind, times },
        }
    }
}
