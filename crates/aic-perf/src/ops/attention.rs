//! Attention: the operations whose time depends on how long contexts are.

use super::bind::Binder;
use crate::error::AicError;
use crate::hw::GpuSpec;
use crate::interp::{Blend, BoundGrid, GridRow, Timed};
use crate::oplist::OpKind;
use crate::quant::AttentionFormat;
use crate::sol::{
    ContextLight, ContextMlaLight, GenerationLight, GenerationMlaLight, HeadShape, attention_flops,
};
use crate::table::{AttentionKey, Grid, MlaModuleKey};

/// A decode kernel is measured at one length; a batch has many. This many lengths around the mean count.
const SAMPLES: usize = 5;
/// Overhead that comes with prefill attention is multiplied by this.
const OVERHEAD: f64 = 1.1;

/// Attention over new tokens.
#[derive(Debug, Clone)]
pub(crate) struct PrefillAttention {
    grid: PrefillGrid,
    /// What surrounds the kernel, whatever the size.
    extra_ms: f64,
}

#[derive(Debug, Clone)]
enum PrefillGrid {
    Gqa(BoundGrid<ContextLight>),
    Mla(BoundGrid<ContextMlaLight>),
}

/// Attention of one new token a request.
#[derive(Debug, Clone)]
pub(crate) enum DecodeAttention {
    Gqa(BoundGrid<GenerationLight>),
    Mla(BoundGrid<GenerationMlaLight>),
}

/// [`DecodeAttention`] at one batch.
#[derive(Debug)]
pub(crate) struct DecodeAttentionRow(GridRow);

impl PrefillAttention {
    /// `length` new tokens behind `prefix` old ones: the share of the full square that is new.
    pub(super) fn at(&self, batch: f64, length: f64, prefix: f64) -> Timed {
        let full = length + prefix;
        let value = match &self.grid {
            PrefillGrid::Gqa(grid) => grid.at(full, batch),
            PrefillGrid::Mla(grid) => grid.at(full, batch),
        };
        let new = (full * full - prefix * prefix) / (full * full);
        Timed::new(value.ms * new + self.extra_ms, value.coverage)
    }

    /// Binds [`OpKind::ContextAttention`], [`OpKind::ContextMla`] or [`OpKind::MlaContextModule`].
    pub(super) fn bind(binder: &Binder<'_>, op: &OpKind) -> Result<Self, AicError> {
        let gpu = binder.gpu;
        let flops = |attention| {
            attention_flops(gpu, attention).ok_or_else(|| binder.no_flops(attention.name()))
        };
        match *op {
            OpKind::ContextAttention {
                heads,
                kv_heads,
                head_dim,
                window,
                kv,
                attention,
                qk_norm,
            } => {
                let shape = slice_shape(heads, kv_heads, head_dim, window);
                let flops = flops(attention)?;
                let key = attention_key(attention.name(), kv.name(), shape);
                let grid = binder.tables.context_attention(key);
                let light = ContextLight::new(gpu, shape, kv, flops);
                let what = || describe(&key);
                let grid =
                    binder.grid("prefill attention", grid, heads, Blend::Sqrt, light, what)?;
                let widths = [heads, kv_heads].map(|heads| f64::from(heads) * f64::from(head_dim));
                Ok(Self {
                    grid: PrefillGrid::Gqa(grid),
                    extra_ms: OVERHEAD * surroundings_ms(gpu, widths, attention, qk_norm),
                })
            }
            OpKind::ContextMla {
                heads,
                kv,
                attention,
            } => {
                let light = ContextMlaLight::new(gpu, kv, flops(attention)?);
                let grid = binder.tables.context_mla(attention.name(), kv.name());
                let what = || format!("{attention} attention with {kv} KV");
                Self::latent(binder, "latent prefill attention", grid, heads, light, what)
            }
            OpKind::MlaContextModule {
                heads,
                native_heads,
                kv,
                attention,
                gemm,
            } => {
                let light = ContextMlaLight::new(gpu, kv, flops(attention)?);
                let key = MlaModuleKey {
                    attn_dtype: attention.name(),
                    kv_dtype: kv.name(),
                    gemm_dtype: gemm.name(),
                };
                let grid = nearest_native(binder.tables.mla_context_module(key), native_heads);
                let what = || format!("{attention} attention with {kv} KV and {gemm} weights");
                Self::latent(binder, "latent prefill block", grid, heads, light, what)
            }
            _ => Err(binder.missing("prefill attention", format!("{op:?}"))),
        }
    }

    fn latent(
        binder: &Binder<'_>,
        operation: &'static str,
        grid: Option<&Grid>,
        heads: u32,
        light: ContextMlaLight,
        what: impl Fn() -> String,
    ) -> Result<Self, AicError> {
        let grid = binder.grid(operation, grid, heads, Blend::Sqrt, light, what)?;
        Ok(Self {
            grid: PrefillGrid::Mla(grid),
            extra_ms: 0.0,
        })
    }
}

/// The small kernels around prefill attention: position encoding of queries and keys, writing to the cache, norms. Of
/// one token's widths, whatever the size of the step: that is how they are accounted.
fn surroundings_ms(
    gpu: &GpuSpec,
    [query, key]: [f64; 2],
    attention: AttentionFormat,
    qk_norm: bool,
) -> f64 {
    let memory = |bytes| gpu.memory_ms(bytes);
    let encoding = 2.0 * memory(2.0 * (query + key));
    let cache = 2.0 * memory(key * attention.bytes());
    let norms = if qk_norm {
        4.0 * memory(2.0 * query) + 4.0 * memory(2.0 * key)
    } else {
        0.0
    };
    encoding + cache + norms
}

impl DecodeAttention {
    pub(super) fn at(&self, batch: f64, context: f64) -> Timed {
        match self {
            Self::Gqa(grid) => {
                let sum = samples(context)
                    .iter()
                    .fold(Timed::ZERO, |sum, length| sum.plus(grid.at(batch, *length)));
                Timed::new(sum.ms / SAMPLES as f64, sum.coverage)
            }
            Self::Mla(grid) => grid.at(batch, context),
        }
    }

    /// Prepares one batch.
    pub(crate) fn row(&self, batch: f64) -> DecodeAttentionRow {
        DecodeAttentionRow(match self {
            Self::Gqa(grid) => grid.row(batch),
            Self::Mla(grid) => grid.row(batch),
        })
    }

    /// The time at a context length (the new token included) of a batch that was prepared by the same attention.
    #[inline]
    pub(crate) fn along(&self, row: &DecodeAttentionRow, context: f64) -> Timed {
        match self {
            Self::Gqa(grid) => grid.mean_along(&row.0, samples(context)),
            Self::Mla(grid) => grid.along(&row.0, context),
        }
    }

    /// Binds [`OpKind::GenerationAttention`], [`OpKind::GenerationMla`] or [`OpKind::MlaGenerationModule`].
    pub(super) fn bind(binder: &Binder<'_>, op: &OpKind) -> Result<Self, AicError> {
        let (gpu, tables) = (binder.gpu, binder.tables);
        match *op {
            OpKind::GenerationAttention {
                heads,
                kv_heads,
                head_dim,
                window,
                kv,
            } => {
                let shape = slice_shape(heads, kv_heads, head_dim, window);
                let key = attention_key("", kv.name(), shape);
                let light = GenerationLight::new(gpu, shape, kv);
                let grid = tables.generation_attention(key);
                let what = || describe(&key);
                let grid =
                    binder.grid("decode attention", grid, heads, Blend::Linear, light, what)?;
                Ok(Self::Gqa(grid))
            }
            OpKind::GenerationMla { heads, kv } => {
                let light = GenerationMlaLight::kernel(gpu, kv);
                let grid = tables.generation_mla(kv.name());
                let what = || format!("{kv} KV");
                let grid = binder.grid(
                    "latent decode attention",
                    grid,
                    heads,
                    Blend::Linear,
                    light,
                    what,
                )?;
                Ok(Self::Mla(grid))
            }
            OpKind::MlaGenerationModule {
                heads,
                native_heads,
                kv,
                gemm,
            } => {
                let light = GenerationMlaLight::block(gpu, kv, gemm, binder.flops(gemm)?);
                let key = MlaModuleKey {
                    attn_dtype: "",
                    kv_dtype: kv.name(),
                    gemm_dtype: gemm.name(),
                };
                let grid = nearest_native(tables.mla_generation_module(key), native_heads);
                let what = || format!("{kv} KV and {gemm} weights");
                let grid = binder.grid(
                    "latent decode block",
                    grid,
                    heads,
                    Blend::Linear,
                    light,
                    what,
                )?;
                Ok(Self::Mla(grid))
            }
            _ => Err(binder.missing("decode attention", format!("{op:?}"))),
        }
    }
}

/// Lengths evenly spread from 90 % to 110 % of `context`, ascending.
#[inline]
fn samples(context: f64) -> [f64; SAMPLES] {
    let low = ((context * 0.9) as u64).max(1);
    let high = ((context * 1.1) as u64).max(low);
    std::array::from_fn(|sample| {
        let step = (high - low) * sample as u64 / (SAMPLES as u64 - 1);
        (low + step) as f64
    })
}

/// The heads as tables tell them apart.
fn slice_shape(heads: u32, kv_heads: u32, head_dim: u32, window: u32) -> HeadShape {
    HeadShape {
        kv_heads: if heads == kv_heads { 0 } else { kv_heads },
        head_dim,
        window,
    }
}

fn attention_key<'a>(attn_dtype: &'a str, kv_dtype: &'a str, shape: HeadShape) -> AttentionKey<'a> {
    AttentionKey {
        attn_dtype,
        kv_dtype,
        kv_heads: shape.kv_heads,
        head_dim: shape.head_dim,
        window: shape.window,
    }
}

fn describe(key: &AttentionKey<'_>) -> String {
    let kv_heads = match key.kv_heads {
        0 => "as many".to_owned(),
        heads => heads.to_string(),
    };
    let attention = if key.attn_dtype.is_empty() {
        String::new()
    } else {
        format!("{} attention, ", key.attn_dtype)
    };
    format!(
        "{attention}{} KV, {kv_heads} KV heads of {} elements, window {}",
        key.kv_dtype, key.head_dim, key.window
    )
}

/// The slice of a block table for a model with this many heads: exactly, or the largest below, or the smallest.
fn nearest_native<'a>(
    slices: impl Iterator<Item = (u32, &'a Grid)>,
    native_heads: u32,
) -> Option<&'a Grid> {
    let slices: Vec<_> = slices.collect();
    let below = slices
        .iter()
        .rev()
        .find(|(native, _)| *native <= native_heads);
    below.or(slices.first()).map(|(_, grid)| *grid)
}
