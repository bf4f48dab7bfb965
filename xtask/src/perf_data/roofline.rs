//! The least time a measured operation can take, to which implausibly fast measurements are raised.

use super::catalogue::Gpu;

/// Bytes of an element and the FLOP/s of a number format of matrix multiplication; nothing where the GPU has no such
/// units or the format is unknown.
fn gemm_format(gpu: &Gpu, dtype: &str) -> Option<(f64, f64)> {
    let (bytes, flops) = match dtype {
        "bfloat16" => (2.0, gpu.bfloat16_tc_flops),
        "fp8" | "fp8_static" | "fp8_block" | "fp8_ootb" => (1.0, gpu.fp8_tc_flops),
        "nvfp4" => (0.5625, gpu.fp4_tc_flops),
        "nvfp4_wo" | "w4a16_nvfp4" => (0.5625, gpu.bfloat16_tc_flops),
        "int8_wo" => (1.0, gpu.bfloat16_tc_flops),
        "int4_wo" => (0.5, gpu.bfloat16_tc_flops),
        "sq" => (1.0, gpu.int8_tc_flops),
        _ => return None,
    };
    Some((bytes, flops.filter(|flops| *flops > 0.0)?))
}

/// Lower bound in ms of multiplying (m, k) by (k, n).
pub(super) fn gemm_ms(gpu: &Gpu, dtype: &str, [m, n, k]: [u32; 3]) -> Option<f64> {
    let (bytes, flops) = gemm_format(gpu, dtype)?;
    let [m, n, k] = [m, n, k].map(f64::from);
    let compute = 2.0 * m * n * k / flops;
    let memory = bytes * (m * n + m * k + n * k) / gpu.mem_bw;
    Some(compute.max(memory) * 1e3)
}

/// The shape of a decode attention measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecodeAttention<'a> {
    pub(super) kv_dtype: &'a str,
    pub(super) heads: u32,
    pub(super) kv_heads: u32,
    pub(super) head_dim: u32,
    /// In tokens, 0 for none.
    pub(super) window: u32,
    pub(super) batch: u32,
    /// Context length with the token being made.
    pub(super) context: u32,
}

/// Lower bound in ms of one layer's decode attention.
pub(super) fn decode_attention_ms(gpu: &Gpu, shape: DecodeAttention<'_>) -> Option<f64> {
    let has_fp8_maths = shape.kv_dtype == "fp8" && gpu.sm_version.unwrap_or(0) >= 89;
    let flops = if has_fp8_maths {
        gpu.fp8_tc_flops
    } else {
        gpu.bfloat16_tc_flops
    };
    let flops = flops.filter(|flops| *flops > 0.0)?;
    let kv_bytes = if shape.kv_dtype == "bfloat16" {
        2.0
    } else {
        1.0
    };
    let past = shape.context.saturating_sub(1);
    let seen = if shape.window > 0 {
        past.min(shape.window)
    } else {
        past
    };
    let [batch, heads, kv_heads] = [shape.batch, shape.heads, shape.kv_heads].map(f64::from);
    let [head_dim, seen] = [shape.head_dim, seen].map(f64::from);
    let compute = 4.0 * batch * heads * head_dim * seen / flops;
    let bytes = batch * (4.0 * heads * head_dim + 2.0 * kv_heads * seen * head_dim * kv_bytes);
    Some(compute.max(bytes / gpu.mem_bw) * 1e3)
}
