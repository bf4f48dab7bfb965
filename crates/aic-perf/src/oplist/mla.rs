//! Models with latent attention, experts and a shared expert.

use super::layer::{Phase, add_norm, embedding, logits, p2p, phased};
use super::moe::experts;
use super::{Half, NamedOp, OpKind, OpLists, Setting};
use crate::backend::Backend;
use crate::quant::WeightFormat;

/// How tokens spread over experts in the measurements that apply.
const DISTRIBUTION: &str = "power_law_1.01";
/// Heads the separate kernels were measured for.
const KERNEL_HEADS: u32 = 128;
/// Width of the joint down-projection of queries, keys and values.
const DOWNSCALE_WIDTH: u64 = 2112;
/// Rank of the queries' latent.
const Q_RANK: u64 = 1536;
/// Rank of the keys' and values' latent.
const KV_RANK: u64 = 512;
/// Elements in a head of queries, of keys and values together, and of the output.
const Q_HEAD: u64 = 192;
const KV_HEAD: u64 = 256;
const OUT_HEAD: u64 = 128;

pub(super) fn lists(setting: &Setting<'_>) -> OpLists {
    OpLists {
        prefill: list(setting, Phase::Prefill),
        decode: list(setting, Phase::Decode),
    }
}

fn list(setting: &Setting<'_>, phase: Phase) -> Vec<NamedOp> {
    let (model, tp) = (setting.model, setting.parallel.tp);
    let hidden = u64::from(model.hidden);
    let once = phase.times(setting, 1.0);
    let layers = phase.times(setting, f64::from(model.layers));
    let mut ops = vec![
        NamedOp::new(phased!(phase, "embedding"), once, embedding(model, 1)),
        NamedOp::new(phased!(phase, "add_norm_1"), layers, add_norm(hidden)),
    ];
    ops.extend(attention_block(setting, phase));
    ops.push(NamedOp::new(
        phased!(phase, "add_norm_2"),
        layers,
        add_norm(hidden),
    ));
    let shared = shared_expert(setting, phase);
    let routed = experts(setting, phase, DISTRIBUTION);
    match phase {
        Phase::Prefill => {
            ops.extend(shared);
            ops.extend(routed);
        }
        Phase::Decode => {
            let both = OpKind::Overlap {
                a: routed.into(),
                b: shared.into(),
            };
            ops.push(NamedOp::new("generation_moe_overlap", 1.0, both));
        }
    }
    let head = logits(model, u64::from(tp));
    ops.push(NamedOp::new(phased!(phase, "logits_gemm"), once, head));
    if setting.backend == Backend::Vllm {
        let all_reduce = OpKind::AllReduce {
            width: hidden,
            gpus: tp,
        };
        ops.push(NamedOp::new(
            phased!(phase, "tp_allreduce"),
            2.0 * layers,
            all_reduce,
        ));
    }
    ops.push(p2p(setting, phase));
    ops
}

fn shared_expert(setting: &Setting<'_>, phase: Phase) -> [NamedOp; 3] {
    let (model, tp) = (setting.model, u64::from(setting.parallel.tp));
    let hidden = u64::from(model.hidden);
    let inter = u64::from(model.moe_inter);
    let layers = phase.times(setting, f64::from(model.layers));
    let format = if model.quant.excluded.shared_experts {
        WeightFormat::Bfloat16
    } else {
        setting.formats.gemm
    };
    let gate = 2 * inter / tp;
    let act = OpKind::Elementwise {
        elements: gate + inter / tp,
    };
    [
        NamedOp::new(
            phased!(phase, "shared_gate_up_gemm"),
            layers,
            gemm(gate, hidden, format),
        ),
        NamedOp::new(phased!(phase, "shared_act_gate"), layers, act),
        NamedOp::new(
            phased!(phase, "shared_ffn2_gemm"),
            layers,
            gemm(hidden, inter / tp, format),
        ),
    ]
}

fn gemm(n: u64, k: u64, format: WeightFormat) -> OpKind {
    OpKind::Gemm {
        n,
        k,
        format,
        low_precision_input: false,
    }
}

/// Formats of the projections around attention.
struct Projections {
    downscale: WeightFormat,
    q: WeightFormat,
    kv: WeightFormat,
    o: WeightFormat,
    bmm: WeightFormat,
}

impl Projections {
    fn new(setting: &Setting<'_>) -> Self {
        let excluded = setting.model.quant.excluded;
        let gemm = setting.formats.gemm;
        let unless = |excluded: bool| {
            if excluded {
                WeightFormat::Bfloat16
            } else {
                gemm
            }
        };
        let kv = unless(excluded.kv);
        let plain = kv == WeightFormat::Bfloat16;
        Self {
            downscale: unless(excluded.q && excluded.kv),
            q: unless(excluded.q),
            kv,
            o: unless(excluded.o),
            bmm: if plain {
                WeightFormat::Bfloat16
            } else {
                WeightFormat::Fp8
            },
        }
    }

    /// The one format of all of them, which a measured block has.
    fn uniform(&self) -> Option<WeightFormat> {
        (self.q == self.kv && self.kv == self.o).then_some(self.q)
    }
}

fn attention_block(setting: &Setting<'_>, phase: Phase) -> Vec<NamedOp> {
    let model = setting.model;
    let layers = phase.times(setting, f64::from(model.layers));
    let projections = Projections::new(setting);
    let parts = match phase {
        Phase::Prefill => prefill_parts(setting, &projections),
        Phase::Decode => decode_parts(setting, &projections),
    };
    let Some(gemm) = projections.uniform() else {
        return parts;
    };
    let heads = model.heads / setting.parallel.tp;
    let kv = setting.formats.kv_cache;
    let module = match phase {
        Phase::Prefill => OpKind::MlaContextModule {
            heads,
            native_heads: model.heads,
            kv,
            attention: setting.formats.attention,
            gemm,
        },
        Phase::Decode => OpKind::MlaGenerationModule {
            heads,
            native_heads: model.heads,
            kv,
            gemm,
        },
    };
    let block = OpKind::Fallback {
        primary: Box::new(NamedOp::new(phased!(phase, "mla_module"), layers, module)),
        parts,
    };
    vec![NamedOp::new(phased!(phase, "mla_block"), 1.0, block)]
}

/// The projections to queries, and after attention to the output.
fn around(setting: &Setting<'_>, projections: &Projections, phase: Phase) -> [NamedOp; 3] {
    let (model, tp) = (setting.model, u64::from(setting.parallel.tp));
    let (hidden, heads) = (u64::from(model.hidden), u64::from(model.heads));
    let layers = phase.times(setting, f64::from(model.layers));
    let downscale = gemm(DOWNSCALE_WIDTH, hidden, projections.downscale);
    let q = gemm(heads * Q_HEAD / tp, Q_RANK, projections.q);
    let out = gemm(hidden, heads * OUT_HEAD / tp, projections.o);
    [
        NamedOp::new(phased!(phase, "downscale_gemm"), layers, downscale),
        NamedOp::new(phased!(phase, "q_b_proj_gemm"), layers, q),
        NamedOp::new(phased!(phase, "proj_gemm"), layers, out),
    ]
}

fn prefill_parts(setting: &Setting<'_>, projections: &Projections) -> Vec<NamedOp> {
    let (model, tp) = (setting.model, setting.parallel.tp);
    let layers = f64::from(model.layers);
    let [downscale, q, out] = around(setting, projections, Phase::Prefill);
    let kv_b = gemm(
        u64::from(model.heads) * KV_HEAD / u64::from(tp),
        KV_RANK,
        projections.kv,
    );
    let (kv, attention) = (setting.formats.kv_cache, setting.formats.attention);
    let kernel = match setting.backend {
        Backend::Vllm => OpKind::ContextAttention {
            heads: model.heads / tp,
            kv_heads: model.kv_heads / tp,
            head_dim: model.mla.map_or(0, |mla| mla.v_head_dim),
            window: 0,
            kv,
            attention,
            qk_norm: false,
        },
        Backend::Sglang | Backend::Trtllm => OpKind::ContextMla {
            heads: KERNEL_HEADS / tp,
            kv,
            attention,
        },
    };
    vec![
        downscale,
        q,
        NamedOp::new("context_kv_b_proj_gemm", layers, kv_b),
        NamedOp::new("context_attention", layers, kernel),
        out,
    ]
}

fn decode_parts(setting: &Setting<'_>, projections: &Projections) -> Vec<NamedOp> {
    let (model, tp) = (setting.model, setting.parallel.tp);
    let layers = Phase::Decode.times(setting, f64::from(model.layers));
    let [downscale, q, out] = around(setting, projections, Phase::Decode);
    let (heads, kv) = (model.heads / tp, setting.formats.kv_cache);
    let mut ops = vec![downscale, q];
    match setting.backend {
        Backend::Vllm => {
            let kernel = OpKind::GenerationAttention {
                heads,
                kv_heads: model.kv_heads / tp,
                head_dim: model.mla.map_or(0, |mla| mla.v_head_dim),
                window: 0,
                kv,
            };
            ops.push(NamedOp::new("generation_attention", layers, kernel));
        }
        Backend::Sglang | Backend::Trtllm => {
            let bmm = |half| OpKind::MlaBmm {
                heads,
                format: projections.bmm,
                half,
            };
            let kernel = OpKind::GenerationMla {
                heads: KERNEL_HEADS / tp,
                kv,
            };
            ops.extend([
                NamedOp::new("generation_bmm_pre", layers, bmm(Half::Pre)),
                NamedOp::new("generation_attention", layers, kernel),
                NamedOp::new("generation_bmm_post", layers, bmm(Half::Post)),
            ]);
        }
    }
    ops.push(out);
    ops
}
