//! Speed-of-light times: what an operation would take if the GPU computed or moved data at its peak rate, whichever
//! is slower. Milliseconds; they carry measurements beyond the measured range and bound some of them from below.

use crate::hw::GpuSpec;
use crate::interp::{GemmSol, Sol};
use crate::quant::{AttentionFormat, FlopsKind, KvFormat, WeightFormat};

const MS: f64 = 1e3;

/// Matrix multiplication: 2mnk operations; inputs, weights and output moved once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GemmLight {
    ms_per_flop: f64,
    ms_per_element: f64,
}

impl GemmLight {
    pub(crate) fn new(gpu: &GpuSpec, format: WeightFormat, flops: f64) -> Self {
        Self {
            ms_per_flop: MS / flops,
            ms_per_element: format.bytes() * MS / gpu.mem_bw,
        }
    }
}

impl GemmSol for GemmLight {
    #[inline]
    fn at(&self, m: f64, n: f64, k: f64) -> f64 {
        let math = 2.0 * m * n * k * self.ms_per_flop;
        math.max((m * n + m * k + n * k) * self.ms_per_element)
    }
}

/// Attention heads of a table slice: key-value heads are a fixed number or as many as query heads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadShape {
    /// Fixed number of key-value heads, 0 for as many as query heads.
    pub(crate) kv_heads: u32,
    pub(crate) head_dim: u32,
    /// Sliding window in tokens, 0 for none.
    pub(crate) window: u32,
}

impl HeadShape {
    #[inline]
    fn kv_heads(&self, heads: f64) -> f64 {
        match self.kv_heads {
            0 => heads,
            fixed => f64::from(fixed),
        }
    }

    /// Tokens a query sees of `length`.
    #[inline]
    fn seen(&self, length: f64) -> f64 {
        match self.window {
            0 => length,
            window => length.min(f64::from(window)),
        }
    }
}

/// Prefill attention over (heads, sequence length, batch): half the square, or a band where a window is shorter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextLight {
    shape: HeadShape,
    kv_bytes: f64,
    ms_per_flop: f64,
    ms_per_byte: f64,
}

impl ContextLight {
    pub(crate) fn new(gpu: &GpuSpec, shape: HeadShape, kv: KvFormat, flops: f64) -> Self {
        Self {
            shape,
            kv_bytes: f64::from(kv.bytes()),
            ms_per_flop: MS / flops,
            ms_per_byte: MS / gpu.mem_bw,
        }
    }
}

impl Sol for ContextLight {
    #[inline]
    fn at(&self, heads: f64, length: f64, batch: f64) -> f64 {
        let width = heads * f64::from(self.shape.head_dim);
        let window = f64::from(self.shape.window);
        let ops = if window > 0.0 && length > window {
            4.0 * batch * length * window * width
        } else {
            2.0 * batch * length * length * width
        };
        let kv_width = self.shape.kv_heads(heads) * f64::from(self.shape.head_dim);
        let bytes = batch * length * (4.0 * width + 2.0 * self.kv_bytes * kv_width);
        (ops * self.ms_per_flop).max(bytes * self.ms_per_byte)
    }
}

/// The rate of decode attention: fp8 only where the KV cache is and the GPU has it.
fn decode_flops(gpu: &GpuSpec, kv: KvFormat) -> f64 {
    let fp8 = (kv == KvFormat::Fp8 && gpu.sm >= 89)
        .then(|| gpu.flops(FlopsKind::Fp8))
        .flatten();
    fp8.unwrap_or(gpu.bf16_flops)
}

/// Decode attention over (heads, batch, context length).
#[derive(Debug, Clone, Copy)]
pub(crate) struct GenerationLight {
    shape: HeadShape,
    kv_bytes: f64,
    ms_per_flop: f64,
    ms_per_byte: f64,
}

impl GenerationLight {
    pub(crate) fn new(gpu: &GpuSpec, shape: HeadShape, kv: KvFormat) -> Self {
        Self {
            shape,
            kv_bytes: f64::from(kv.bytes()),
            ms_per_flop: MS / decode_flops(gpu, kv),
            ms_per_byte: MS / gpu.mem_bw,
        }
    }
}

impl Sol for GenerationLight {
    #[inline]
    fn at(&self, heads: f64, batch: f64, context: f64) -> f64 {
        let head_dim = f64::from(self.shape.head_dim);
        let length = self.shape.seen(context - 1.0);
        let ops = 4.0 * batch * heads * head_dim * length;
        let kv = 2.0 * self.shape.kv_heads(heads) * length * head_dim * self.kv_bytes;
        let bytes = batch * (4.0 * heads * head_dim + kv);
        (ops * self.ms_per_flop).max(bytes * self.ms_per_byte)
    }
}

/// Prefill latent attention over (heads, sequence length, batch).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextMlaLight {
    kv_bytes: f64,
    ms_per_flop: f64,
    ms_per_byte: f64,
}

impl ContextMlaLight {
    pub(crate) fn new(gpu: &GpuSpec, kv: KvFormat, flops: f64) -> Self {
        Self {
            kv_bytes: f64::from(kv.bytes()),
            ms_per_flop: MS / flops,
            ms_per_byte: MS / gpu.mem_bw,
        }
    }
}

impl Sol for ContextMlaLight {
    #[inline]
    fn at(&self, heads: f64, length: f64, batch: f64) -> f64 {
        let elements = batch * heads * 320.0 * length;
        let bytes = elements * (self.kv_bytes + 2.0);
        (elements * length * self.ms_per_flop).max(bytes * self.ms_per_byte)
    }
}

/// Decode latent attention over (heads, batch, context length); with the two multiplications into and out of the
/// latent where the whole block was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GenerationMlaLight {
    kv_bytes: f64,
    ms_per_flop: f64,
    ms_per_byte: f64,
    /// Of the block's multiplications: time of an operation, bytes of an element.
    block: Option<(f64, f64)>,
}

impl GenerationMlaLight {
    pub(crate) fn kernel(gpu: &GpuSpec, kv: KvFormat) -> Self {
        Self {
            kv_bytes: f64::from(kv.bytes()),
            ms_per_flop: MS / decode_flops(gpu, kv),
            ms_per_byte: MS / gpu.mem_bw,
            block: None,
        }
    }

    pub(crate) fn block(gpu: &GpuSpec, kv: KvFormat, gemm: WeightFormat, flops: f64) -> Self {
        Self {
            block: Some((MS / flops, gemm.bytes())),
            ..Self::kernel(gpu, kv)
        }
    }
}

/// Elements of one head's matrix into or out of the latent.
const LATENT_WEIGHTS: f64 = 65_536.0;

impl Sol for GenerationMlaLight {
    #[inline]
    fn at(&self, heads: f64, batch: f64, context: f64) -> f64 {
        let mut math = 2.0 * batch * heads * 1088.0 * context * self.ms_per_flop;
        let cache = (context - 1.0) * 576.0 * self.kv_bytes;
        let mut moved = batch * (2176.0 * heads + cache) * self.ms_per_byte;
        if let Some((ms_per_flop, bytes)) = self.block {
            math += 4.0 * batch * heads * LATENT_WEIGHTS * ms_per_flop;
            moved += 2.0 * heads * (640.0 * batch + LATENT_WEIGHTS) * bytes * self.ms_per_byte;
        }
        math.max(moved)
    }
}

/// One multiplication into or out of the latent for `tokens` tokens.
pub(crate) fn mla_bmm(
    gpu: &GpuSpec,
    format: WeightFormat,
    flops: f64,
    heads: f64,
    tokens: f64,
) -> f64 {
    let ops = 2.0 * tokens * heads * LATENT_WEIGHTS;
    let bytes = heads * (640.0 * tokens + LATENT_WEIGHTS) * format.bytes();
    (ops / flops).max(bytes / gpu.mem_bw) * MS
}

/// Reading an (m, k) matrix and writing it narrower; `bytes` of traffic for each element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CastLight {
    ms_per_element: f64,
}

impl CastLight {
    pub(crate) fn new(gpu: &GpuSpec, bytes: f64) -> Self {
        Self {
            ms_per_element: bytes * MS / gpu.mem_bw,
        }
    }
}

impl Sol for CastLight {
    #[inline]
    fn at(&self, _: f64, m: f64, k: f64) -> f64 {
        m * k * self.ms_per_element
    }
}

/// Gated experts over tokens; whole tokens and experts, as an integer model of the kernel has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MoeLight {
    pub(crate) hidden: u32,
    pub(crate) inter: u32,
    pub(crate) topk: u32,
    pub(crate) experts: u32,
    pub(crate) tp: u32,
    pub(crate) ep: u32,
    pub(crate) flops: f64,
    pub(crate) mem_bw: f64,
    pub(crate) bytes: f64,
}

impl MoeLight {
    /// Matrices of a gated expert.
    const MATRICES: u128 = 3;

    pub(crate) fn at(&self, tokens: f64) -> f64 {
        let [hidden, inter, ep, tp] = [self.hidden, self.inter, self.ep, self.tp].map(u128::from);
        let routed = (tokens.max(0.0) as u128).saturating_mul(u128::from(self.topk));
        let inter_all = inter * Self::MATRICES;
        let ops = routed.saturating_mul(hidden * inter_all * 2) / ep / tp;
        let here = routed / ep;
        let used = (u128::from(self.experts) / ep).min(here);
        let moved = here.saturating_mul(hidden * 2)
            + (here.saturating_mul(inter_all) / tp)
            + hidden * inter_all / tp * used;
        (ops as f64 / self.flops).max(moved as f64 * self.bytes / self.mem_bw) * MS
    }
}

/// The rate of prefill attention in a format; none where the GPU lacks it.
pub(crate) fn attention_flops(gpu: &GpuSpec, format: AttentionFormat) -> Option<f64> {
    gpu.flops(format.flops())
}
