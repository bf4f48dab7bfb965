//! Models that are known by id: dimensions and quantisation of their published configurations.

use super::{DeclaredQuant, Exclusions, Family, MlaDims, ModelSpec};
use crate::quant::{KvFormat, WeightFormat};

/// One built-in model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bundled {
    pub(super) id: &'static str,
    family: Family,
    layers: u32,
    /// Query heads, key-value heads, elements in a head.
    heads: [u32; 3],
    hidden: u32,
    inter: u32,
    vocab: u32,
    max_positions: u32,
    /// Experts, experts a token goes to, intermediate size of an expert.
    experts: [u32; 3],
    qk_norm: bool,
    alternating_window: Option<u32>,
    quant: DeclaredQuant,
}

impl Bundled {
    pub(super) fn spec(&self) -> ModelSpec {
        let [heads, kv_heads, head_dim] = self.heads;
        let [experts, topk, moe_inter] = self.experts;
        ModelSpec {
            id: self.id.to_owned(),
            family: self.family,
            layers: self.layers,
            heads,
            kv_heads,
            head_dim,
            hidden: self.hidden,
            inter: self.inter,
            vocab: self.vocab,
            max_positions: self.max_positions,
            topk,
            experts,
            moe_inter,
            mla: (self.family == Family::Mla).then_some(MLA_DIMS),
            qk_norm: self.qk_norm,
            alternating_window: self.alternating_window,
            quant: self.quant,
        }
    }

    const fn quant(self, quant: DeclaredQuant) -> Self {
        Self { quant, ..self }
    }

    const fn named(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    const fn positions(self, max_positions: u32) -> Self {
        Self {
            max_positions,
            ..self
        }
    }
}

const MLA_DIMS: MlaDims = MlaDims {
    v_head_dim: 128,
    kv_lora_rank: 512,
    qk_rope_head_dim: 64,
};

/// Weights in blocks of 128 x 128.
const FP8_BLOCK: DeclaredQuant = DeclaredQuant {
    gemm: WeightFormat::Fp8Block,
    moe: WeightFormat::Fp8Block,
    fp8_attention: true,
    ..DeclaredQuant::NONE
};

const FP8_STATIC: DeclaredQuant = DeclaredQuant {
    gemm: WeightFormat::Fp8Static,
    moe: WeightFormat::Fp8,
    kv: Some(KvFormat::Fp8),
    fp8_attention: true,
    ..DeclaredQuant::NONE
};

const NVFP4: DeclaredQuant = DeclaredQuant {
    gemm: WeightFormat::Nvfp4,
    moe: WeightFormat::Nvfp4,
    kv: Some(KvFormat::Fp8),
    fp8_attention: true,
    ..DeclaredQuant::NONE
};

const MXFP4: DeclaredQuant = DeclaredQuant {
    gemm: WeightFormat::Bfloat16,
    moe: WeightFormat::W4a16Mxfp4,
    excluded: ATTENTION,
    ..DeclaredQuant::NONE
};

const ATTENTION: Exclusions = Exclusions {
    q: true,
    kv: true,
    o: true,
    shared_experts: false,
};

const ATTENTION_AND_SHARED: Exclusions = Exclusions {
    shared_experts: true,
    ..ATTENTION
};

const QUERY_AND_KV: Exclusions = Exclusions {
    q: true,
    kv: true,
    o: false,
    shared_experts: false,
};

const fn excluding(quant: DeclaredQuant, excluded: Exclusions) -> DeclaredQuant {
    DeclaredQuant { excluded, ..quant }
}

/// Layers; heads; hidden and intermediate size; vocabulary; longest context.
const fn dense(
    id: &'static str,
    layers: u32,
    heads: [u32; 3],
    widths: [u32; 2],
    vocab: u32,
    max_positions: u32,
) -> Bundled {
    Bundled {
        id,
        family: Family::Dense,
        layers,
        heads,
        hidden: widths[0],
        inter: widths[1],
        vocab,
        max_positions,
        experts: [0; 3],
        qk_norm: false,
        alternating_window: None,
        quant: DeclaredQuant::NONE,
    }
}

const fn moe(base: Bundled, experts: [u32; 3]) -> Bundled {
    Bundled {
        family: Family::Moe,
        experts,
        ..base
    }
}

const fn normed(base: Bundled) -> Bundled {
    Bundled {
        qk_norm: true,
        ..base
    }
}

const fn windowed(base: Bundled) -> Bundled {
    Bundled {
        alternating_window: Some(128),
        ..base
    }
}

const MINIMAX: Bundled = normed(moe(
    dense("", 62, [48, 8, 128], [3072, 1536], 200_064, 196_608),
    [256, 8, 1536],
))
.quant(FP8_BLOCK);
const QWEN3_32B: Bundled = normed(dense("", 64, [64, 8, 128], [5120, 25600], 151_936, 40_960));
const QWEN3_30B: Bundled = normed(moe(
    dense("", 48, [32, 4, 128], [2048, 6144], 151_936, 40_960),
    [128, 8, 768],
));
const QWEN3_235B: Bundled = normed(moe(
    dense("", 94, [64, 4, 128], [4096, 12288], 151_936, 40_960),
    [128, 8, 1536],
));
const LLAMA_8B: Bundled = dense("", 32, [32, 8, 128], [4096, 14336], 128_256, 131_072);
const LLAMA_70B: Bundled = dense("", 80, [64, 8, 128], [8192, 28672], 128_256, 131_072);
const DEEPSEEK_V3: Bundled = Bundled {
    family: Family::Mla,
    ..moe(
        dense("", 61, [128, 128, 56], [7168, 18432], 129_280, 163_840),
        [256, 8, 2048],
    )
}
.quant(FP8_BLOCK);
const KIMI_K2: Bundled = Bundled {
    family: Family::Mla,
    ..moe(
        dense("", 61, [64, 64, 112], [7168, 18432], 163_840, 262_144),
        [384, 8, 2048],
    )
};

/// Every built-in model, ascending by id (letter case aside).
#[rustfmt::skip]
pub(super) const BUNDLED: &[Bundled] = &[
    DEEPSEEK_V3.named("deepseek-ai/DeepSeek-R1"),
    DEEPSEEK_V3.named("deepseek-ai/DeepSeek-V3"),
    dense("meta-llama/Meta-Llama-3.1-405B", 126, [128, 8, 128], [16384, 53248], 128_256, 131_072),
    LLAMA_70B.named("meta-llama/Meta-Llama-3.1-70B"),
    LLAMA_8B.named("meta-llama/Meta-Llama-3.1-8B"),
    MINIMAX.named("MiniMaxAI/MiniMax-M2.5"),
    MINIMAX.named("MiniMaxAI/MiniMax-M2.7").positions(204_800),
    moe(dense("mistralai/Mixtral-8x22B-v0.1", 56, [48, 8, 128], [6144, 16384], 32_000, 65_536), [8, 2, 16384]),
    moe(dense("mistralai/Mixtral-8x7B-v0.1", 32, [32, 8, 128], [4096, 14336], 32_000, 32_768), [8, 2, 14336]),
    KIMI_K2.named("moonshotai/Kimi-K2-Instruct").positions(131_072).quant(FP8_BLOCK),
    KIMI_K2.named("moonshotai/Kimi-K2.5").quant(DeclaredQuant {
        moe: WeightFormat::Int4Wo,
        excluded: ATTENTION_AND_SHARED,
        ..DeclaredQuant::NONE
    }),
    DEEPSEEK_V3.named("nvidia/DeepSeek-V3.1-NVFP4").quant(excluding(NVFP4, QUERY_AND_KV)),
    KIMI_K2.named("nvidia/Kimi-K2.5-NVFP4").quant(excluding(NVFP4, ATTENTION)),
    KIMI_K2.named("nvidia/Kimi-K2.6-NVFP4").quant(excluding(NVFP4, ATTENTION_AND_SHARED)),
    KIMI_K2.named("nvidia/Kimi-K2.7-Code-NVFP4").quant(excluding(NVFP4, ATTENTION_AND_SHARED)),
    LLAMA_70B.named("nvidia/Llama-3.1-70B-Instruct-FP8").quant(FP8_STATIC),
    LLAMA_8B.named("nvidia/Llama-3.1-8B-Instruct-FP8").quant(FP8_STATIC),
    MINIMAX.named("nvidia/MiniMax-M2.5-NVFP4").quant(excluding(NVFP4, ATTENTION)),
    MINIMAX.named("nvidia/MiniMax-M2.7-NVFP4").quant(excluding(NVFP4, ATTENTION)),
    QWEN3_235B.named("nvidia/Qwen3-235B-A22B-NVFP4").quant(NVFP4),
    windowed(moe(dense("openai/gpt-oss-120b", 36, [64, 8, 64], [2880, 2880], 201_088, 131_072), [128, 4, 2880])).quant(MXFP4),
    windowed(moe(dense("openai/gpt-oss-20b", 24, [64, 8, 64], [2880, 2880], 201_088, 131_072), [32, 4, 2880])).quant(MXFP4),
    normed(dense("Qwen/Qwen3-0.6B", 28, [16, 8, 128], [1024, 3072], 151_936, 40_960)),
    normed(dense("Qwen/Qwen3-1.7B", 28, [16, 8, 128], [2048, 6144], 151_936, 40_960)),
    QWEN3_235B.named("Qwen/Qwen3-235B-A22B"),
    QWEN3_235B.named("Qwen/Qwen3-235B-A22B-FP8").quant(FP8_BLOCK),
    QWEN3_30B.named("Qwen/Qwen3-30B-A3B"),
    QWEN3_30B.named("Qwen/Qwen3-30B-A3B-FP8").quant(FP8_BLOCK),
    QWEN3_32B.named("Qwen/Qwen3-32B"),
    QWEN3_32B.named("Qwen/Qwen3-32B-FP8").quant(FP8_BLOCK),
    QWEN3_32B.named("Qwen/Qwen3-32B-FP8-Static-PerTensor").quant(FP8_STATIC),
    normed(dense("Qwen/Qwen3-8B", 36, [32, 8, 128], [4096, 12288], 151_936, 40_960)),
    normed(moe(dense("Qwen/Qwen3-Coder-480B-A35B-Instruct", 62, [96, 8, 128], [6144, 8192], 151_936, 262_144), [160, 8, 2560])),
    dense("XiaomiMiMo/MiMo-7B-Base", 36, [32, 8, 128], [4096, 11008], 151_680, 32_768),
];
