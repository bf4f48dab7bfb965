//! What the planner knows of the engines it scales.

use sim_api::WorkerProfile;

/// Limits of one engine replica. Unknown limits are none and make the decisions that need them unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineCapabilities {
    /// GPUs of a replica; none switches the budget off.
    pub num_gpu: Option<u32>,
    /// Token budget of a pass.
    pub max_batched_tokens: Option<u32>,
    /// Seats.
    pub max_sequences: Option<u32>,
    /// Longest context in tokens.
    pub context_length: Option<u64>,
    /// KV tokens.
    pub max_kv_tokens: Option<u64>,
    /// Draft tokens per decode step (speculative decoding).
    pub draft_tokens: Option<u32>,
}

impl EngineCapabilities {
    /// The capabilities of a simulated worker; its whole KV cache is its longest context.
    #[must_use]
    pub fn of_profile(profile: &WorkerProfile) -> Self {
        let kv = u64::from(profile.blocks) * u64::from(profile.block_tokens);
        let kv = (kv > 0).then_some(kv);
        Self {
            num_gpu: Some(profile.gpus),
            max_batched_tokens: profile.max_batched_tokens,
            max_sequences: profile.max_sequences,
            context_length: kv,
            max_kv_tokens: kv,
            draft_tokens: (profile.draft_tokens > 0).then_some(profile.draft_tokens),
        }
    }
}

/// Capabilities by pool. An aggregated deployment has only the decode side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Prefill engines.
    pub prefill: EngineCapabilities,
    /// Decode engines; of an aggregated deployment all engines.
    pub decode: EngineCapabilities,
}
