//! Samples for the models before the first request, from a step-time model.

use sim_api::WorkerProfile;

use crate::pass::Pass;

/// Token budget of a pass where an engine names none.
const DEFAULT_MAX_BATCHED: u32 = 8192;
/// KV tokens where an engine names none.
const DEFAULT_KV_TOKENS: u64 = 262_144;
/// Seats where an engine names none.
const DEFAULT_SEQUENCES: u32 = 256;
/// The shortest prompt asked for.
const FIRST_ISL: u32 = 100;
/// The contexts decode is asked at.
const CONTEXTS: [u32; 4] = [500, 2000, 4000, 8000];
/// Points per sweep unless the user says otherwise.
pub const DEFAULT_GRANULARITY: u32 = 8;

/// The corners of the sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootstrapLimits {
    /// Token budget of a pass; 8192 if unknown.
    pub max_batched_tokens: Option<u32>,
    /// Seats; 256 if unknown.
    pub max_sequences: Option<u32>,
    /// KV tokens of a decode engine; 262144 if 0.
    pub kv_tokens: u64,
}

impl BootstrapLimits {
    /// The limits of a deployment's engines: the token budget of prefill, seats and KV cache of decode. In an
    /// aggregated deployment both are the same engine.
    #[must_use]
    pub fn of_profiles(prefill: &WorkerProfile, decode: &WorkerProfile) -> Self {
        Self {
            max_batched_tokens: prefill.max_batched_tokens,
            max_sequences: decode.max_sequences,
            kv_tokens: u64::from(decode.blocks) * u64::from(decode.block_tokens),
        }
    }
}

/// Passes to learn before the first request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bootstrap {
    /// Prefill passes of one prompt each.
    pub prefill: Vec<Pass>,
    /// Decode passes.
    pub decode: Vec<Pass>,
}

/// Sweeps prompts up to the token budget, and batches up to the seats or the KV cache.
///
/// `prefill_ms(prompt tokens)` and `decode_ms(batch, context)` answer in milliseconds; answers that are not above 0
/// are left out. About `granularity` points per sweep.
///
/// ```
/// use planner::{BootstrapLimits, bootstrap_passes};
///
/// let limits = BootstrapLimits { max_batched_tokens: Some(2048), ..BootstrapLimits::default() };
/// let samples = bootstrap_passes(&limits, 8, |_| Ok::<_, ()>(3.0), |_, _| Ok(5.0)).unwrap();
/// assert_eq!(samples.prefill.len(), 9);
/// assert_eq!(samples.decode[1].decode_kv_tokens, 33 * 500);
/// ```
///
/// # Errors
/// The first error of the step-time model.
pub fn bootstrap_passes<E>(
    limits: &BootstrapLimits,
    granularity: u32,
    mut prefill_ms: impl FnMut(u32) -> Result<f64, E>,
    mut decode_ms: impl FnMut(u32, u32) -> Result<f64, E>,
) -> Result<Bootstrap, E> {
    let points = granularity.max(1);
    let mut bootstrap = Bootstrap::default();

    let budget = limits
        .max_batched_tokens
        .filter(|&tokens| tokens > 0)
        .unwrap_or(DEFAULT_MAX_BATCHED);
    let step = (budget.saturating_sub(FIRST_ISL) / points).max(1);
    for isl in (FIRST_ISL..=budget).step_by(step as usize) {
        let ms = prefill_ms(isl)?;
        if ms > 0.0 {
            bootstrap.prefill.push(Pass {
                wall_s: ms / 1000.0,
                num_prefill: 1,
                prefill_tokens: u64::from(isl),
                ..Pass::default()
            });
        }
    }

    let kv = if limits.kv_tokens == 0 {
        DEFAULT_KV_TOKENS
    } else {
        limits.kv_tokens
    };
    let seats = limits
        .max_sequences
        .filter(|&seats| seats > 0)
        .unwrap_or(DEFAULT_SEQUENCES);
    for context in CONTEXTS {
        for batch in (1..=seats).step_by((seats / points).max(1) as usize) {
            let tokens = u64::from(batch) * u64::from(context);
            if tokens > kv {
                break;
            }
            let ms = decode_ms(batch, context)?;
            if ms > 0.0 {
                bootstrap.decode.push(Pass {
                    wall_s: ms / 1000.0,
                    num_decode: u64::from(batch),
                    decode_kv_tokens: tokens,
                    ..Pass::default()
                });
            }
        }
    }
    Ok(bootstrap)
}

/// The batch sizes of a live planner's sweep: 1 to `max_concurrency`, about `granularity` of them, evenly spaced.
///
/// ```
/// assert_eq!(planner::concurrency_sweep(257, 8), [1, 38, 74, 111, 147, 184, 220, 257]);
/// ```
#[must_use]
pub fn concurrency_sweep(max_concurrency: u32, granularity: u32) -> Vec<u32> {
    match (max_concurrency, granularity) {
        (0, _) | (_, 0) => Vec::new(),
        (max, 1) => vec![max],
        (max, points) if points >= max => (1..=max).collect(),
        (max, points) => {
            let step = f64::from(max - 1) / f64::from(points - 1);
            let mut sizes: Vec<u32> = (0..points)
                .map(|k| (1.0 + f64::from(k) * step).round() as u32)
                .collect();
            sizes.dedup();
            sizes
        }
    }
}
