//! How much of a GPU's memory is left for the KV cache.

use crate::backend::Backend;
use crate::engine::{AicEngine, Bound};
use crate::error::AicError;
use crate::model_spec::Family;
use crate::oplist::{NamedOp, OpKind};

const MIB: f64 = 1_048_576.0;

/// What a KV capacity is asked for. The default is what engines are started with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KvQuery {
    /// Tokens in a block, at least 1.
    pub block_size: u32,
    /// Most tokens in one step, at least 1; sets the activations.
    pub max_num_batched_tokens: u32,
    /// Share of memory that may be used, above 0 and up to 1. vLLM 0.9 and SGLang 0.88 of all memory, TensorRT-LLM 0.9
    /// of what weights and the rest leave free, if not given.
    pub memory_fraction: Option<f64>,
}

impl Default for KvQuery {
    fn default() -> Self {
        Self {
            block_size: 64,
            max_num_batched_tokens: 8192,
            memory_fraction: None,
        }
    }
}

/// What fits into the KV cache of one GPU, and where the rest of its memory goes. Bytes are those of one GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvCapacity {
    /// Tokens that fit.
    pub tokens: u64,
    /// Whole blocks that fit.
    pub blocks: u64,
    /// Memory of the cache.
    pub cache_bytes: u64,
    /// What one token takes; for models with a sliding window, of a token within the window.
    pub bytes_per_token: u64,
    /// Weights.
    pub weights_bytes: u64,
    /// Activations of the largest step.
    pub activations_bytes: u64,
    /// What driver and framework keep.
    pub runtime_bytes: u64,
    /// What NCCL keeps.
    pub communication_bytes: u64,
}

/// What a framework needs besides weights.
struct Overheads {
    /// Activation bytes per token and hidden element for tensor-parallel 1, 2, 4, 8: dense models, models with experts.
    dense: [f64; 4],
    experts: [f64; 4],
    least_activations: f64,
    activation_scale: f64,
    runtime_scale: f64,
    fraction: f64,
    /// The fraction is of what is left free, not of all memory.
    of_free: bool,
}

impl Overheads {
    fn of(backend: Backend) -> Self {
        let common = Self {
            dense: [11.0, 6.5, 5.0, 5.0],
            experts: [22.0, 13.0, 10.0, 10.0],
            least_activations: 70.0 * MIB,
            activation_scale: 1.0,
            runtime_scale: 1.0,
            fraction: 0.9,
            of_free: false,
        };
        match backend {
            Backend::Vllm => common,
            Backend::Trtllm => Self {
                of_free: true,
                ..common
            },
            Backend::Sglang => Self {
                dense: [14.0, 8.5, 6.5, 6.5],
                experts: [28.0, 17.0, 13.0, 13.0],
                least_activations: 90.0 * MIB,
                activation_scale: 1.15,
                runtime_scale: 1.2,
                fraction: 0.88,
                of_free: false,
            },
        }
    }
}

impl AicEngine {
    /// How many tokens and blocks of KV fit on each GPU.
    ///
    /// Weights, activations of the largest step, NCCL's and the runtime's memory come off first; pipeline stages share
    /// the weights, tensor parallelism the KV heads (but not the latent of MLA). Draft tokens do not count.
    ///
    /// # Errors
    /// [`AicError::NoKvBudget`] if nothing is left, [`AicError::MemoryField`] on a parameter out of its range or a
    /// tensor-parallel size below 8 that is no power of two.
    pub fn kv_capacity(&self, query: KvQuery) -> Result<KvCapacity, AicError> {
        let bound = &self.bound;
        check(query)?;
        let overheads = Overheads::of(bound.backend);
        let fraction = query.memory_fraction.unwrap_or(overheads.fraction);
        let group = group_index(bound.parallel.tp)?;
        let weights = weights(&bound.lists.prefill_list) / f64::from(bound.parallel.pp);
        let activations = activations(bound, &overheads, group, query.max_num_batched_tokens);
        let runtime = bound.gpu.other_memory as f64 * overheads.runtime_scale;
        let communication = bound.gpu.nccl_memory[group] as f64;
        let needed = weights + activations + communication + runtime;
        let capacity = bound.gpu.mem_capacity as f64;
        let (usable, budget) = if overheads.of_free {
            (capacity, (capacity - needed) * fraction)
        } else {
            (capacity * fraction, capacity * fraction - needed)
        };
        if budget <= 0.0 {
            return Err(AicError::NoKvBudget {
                needed_bytes: needed as u64,
                usable_bytes: usable as u64,
                capacity_bytes: bound.gpu.mem_capacity,
            });
        }
        let cache_bytes = budget as u64;
        let per_token = bytes_per_token(bound);
        let tokens = tokens_that_fit(bound, cache_bytes, per_token);
        Ok(KvCapacity {
            tokens,
            blocks: tokens / u64::from(query.block_size),
            cache_bytes,
            bytes_per_token: per_token,
            weights_bytes: weights as u64,
            activations_bytes: activations as u64,
            runtime_bytes: runtime as u64,
            communication_bytes: communication as u64,
        })
    }
}

fn check(query: KvQuery) -> Result<(), AicError> {
    let wrong = |field, reason: String| Err(AicError::MemoryField { field, reason });
    if query.block_size == 0 {
        return wrong("block size", "expected at least 1 token".to_owned());
    }
    if query.max_num_batched_tokens == 0 {
        return wrong("max batched tokens", "expected at least 1".to_owned());
    }
    match query.memory_fraction {
        Some(fraction) if !(fraction > 0.0 && fraction <= 1.0) => {
            let reason = format!("{fraction} is not above 0 and up to 1");
            wrong("memory fraction", reason)
        }
        _ => Ok(()),
    }
}

/// Which entry of a table over 1, 2, 4 and 8 GPUs counts.
fn group_index(tp: u32) -> Result<usize, AicError> {
    match tp {
        1 => Ok(0),
        2 => Ok(1),
        4 => Ok(2),
        8.. => Ok(3),
        other => Err(AicError::MemoryField {
            field: "tensor-parallel size",
            reason: format!("{other} is not 1, 2, 4, or 8 and more"),
        }),
    }
}

/// Bytes of the weights behind prefill operations.
fn weights(ops: &[NamedOp]) -> f64 {
    ops.iter()
        .map(|named| {
            let one = match &named.op.kind {
                OpKind::Gemm { n, k, format, .. } => *n as f64 * *k as f64 * format.bytes(),
                OpKind::Embedding { rows, width } => *rows as f64 * *width as f64 * 2.0,
                &OpKind::Moe {
                    hidden,
                    inter,
                    experts,
                    tp,
                    ep,
                    format,
                    ..
                } => {
                    let [hidden, inter, experts] = [hidden, inter, experts].map(f64::from);
                    let all = hidden * inter * experts * format.bytes() * 3.0;
                    ((all / f64::from(ep)).floor() / f64::from(tp)).floor()
                }
                OpKind::Fallback { parts, .. } => weights(parts),
                OpKind::Overlap { a, b } => weights(a) + weights(b),
                _ => 0.0,
            };
            one * named.op.times
        })
        .sum()
}

fn activations(bound: &Bound, overheads: &Overheads, group: usize, max_tokens: u32) -> f64 {
    let model = &bound.model;
    let tokens = f64::from(max_tokens);
    let query_width = f64::from(model.heads) * f64::from(model.head_dim);
    let coefficient = match model.family {
        Family::Dense => overheads.dense[group],
        Family::Moe | Family::Mla => overheads.experts[group],
    };
    let mut bytes = 2.0 * tokens * query_width * coefficient;
    if model.family == Family::Mla {
        let width = match bound.backend {
            Backend::Sglang => f64::from(model.hidden),
            Backend::Vllm | Backend::Trtllm => query_width,
        };
        let routed =
            f64::from(model.experts) * f64::from(model.topk) / f64::from(bound.parallel.moe_ep);
        bytes += tokens * width * f64::from(bound.parallel.attention_dp) * routed / 128.0 * 4.0;
    }
    bytes.max(overheads.least_activations) * overheads.activation_scale
}

/// Bytes of keys and values (or their latent) of a token in one layer.
fn layer_bytes(bound: &Bound) -> u64 {
    let model = &bound.model;
    let element = u64::from(bound.lists.formats.kv_cache.bytes());
    match model.mla {
        Some(mla) => (u64::from(mla.kv_lora_rank) + u64::from(mla.qk_rope_head_dim)) * element,
        None => {
            let heads = u64::from(model.kv_heads.div_ceil(bound.parallel.tp));
            heads * u64::from(model.head_dim) * 2 * element
        }
    }
}

fn bytes_per_token(bound: &Bound) -> u64 {
    layer_bytes(bound) * u64::from(bound.model.layers)
}

/// Tokens of one sequence that fit; layers with a window keep no more than that.
fn tokens_that_fit(bound: &Bound, budget: u64, per_token: u64) -> u64 {
    let within = budget / per_token;
    let Some(window) = bound.model.alternating_window.map(u64::from) else {
        return within;
    };
    if within <= window {
        return within;
    }
    let layers = u64::from(bound.model.layers);
    let windowed = layers / 2;
    let in_layers = budget / layer_bytes(bound);
    (in_layers - windowed * window) / (layers - windowed)
}
