//! What an engine is told: the part of the engine arguments that changes how
//! it schedules, resolved (no field is absent, no unit is mixed up).

use std::sync::Arc;

use sim_api::{Quirks, Role};

use crate::can_run::Limits;

/// Which running request gives way when KV blocks run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preemption {
    /// The one admitted last.
    #[default]
    Lifo,
    /// The one admitted first.
    Fifo,
}

/// Speculative decoding (MTP): how many tokens a decode step may give a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Speculation {
    /// P(draft `i` accepted | drafts before `i` accepted), each in 0..=1; one
    /// rate a draft token, 1 to 5 of them.
    pub accept_rates: Arc<[f64]>,
    /// Seed of the acceptance draws; a worker draws from stream `seed + id`.
    pub seed: u64,
}

impl Speculation {
    /// Draft tokens a decode step (nextn).
    pub fn draft_tokens(&self) -> u32 {
        u32::try_from(self.accept_rates.len()).unwrap_or(u32::MAX)
    }
}

/// A vLLM engine.
#[derive(Clone, Debug, PartialEq)]
pub struct VllmConfig {
    /// What its passes do.
    pub role: Role,
    /// Tokens in a KV block; at least 2.
    pub block_tokens: u32,
    /// KV blocks in the pool; at least 1.
    pub blocks: u32,
    /// Seats in the running batch; `None` if unlimited.
    pub max_sequences: Option<u32>,
    /// Token budget of a pass; `None` if unlimited.
    pub max_batched_tokens: Option<u32>,
    /// Prompts of this many tokens or more are rejected, and generation stops
    /// when prompt and output reach it; `None` if unlimited.
    pub max_model_tokens: Option<u32>,
    /// Whether full blocks can be matched by later prompts.
    pub prefix_caching: bool,
    /// Whether a prompt may be computed over several passes.
    pub chunked_prefill: bool,
    /// Prefill times are divided by this; 0 leaves them as they are.
    pub prefill_speedup: f64,
    /// Decode times are divided by this (`speedup_ratio` times
    /// `decode_speedup_ratio`); 0 leaves them as they are.
    pub decode_speedup: f64,
    /// Who gives way.
    pub preemption: Preemption,
    /// Speculative decoding; `None` if off.
    pub speculation: Option<Speculation>,
    /// Ways of the reference to keep.
    pub quirks: Quirks,
}

impl VllmConfig {
    /// What a request may exceed by itself.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            block_tokens: self.block_tokens,
            blocks: self.blocks,
            whole_prompt_budget: if self.chunked_prefill {
                None
            } else {
                self.max_batched_tokens
            },
            max_model_tokens: self.max_model_tokens,
        }
    }
}

/// In which order an SGLang engine looks at waiting requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchedulePolicy {
    /// As they arrived.
    #[default]
    Fifo,
    /// Longest cached prefix first.
    Lpm,
}

/// An SGLang engine.
#[derive(Clone, Debug, PartialEq)]
pub struct SglangConfig {
    /// What its passes do.
    pub role: Role,
    /// Tokens in a page (its KV block); at least 1.
    pub page_tokens: u32,
    /// Pages in the pool; at least 1.
    pub pages: u32,
    /// What a router that counts tokens takes for the budget of a pass; the
    /// scheduler has its own limits.
    pub max_batched_tokens: Option<u32>,
    /// Prompts of this many tokens or more are rejected, and generation stops
    /// when prompt and output reach it; `None` if unlimited.
    pub max_model_tokens: Option<u32>,
    /// Order of the waiting queue.
    pub policy: SchedulePolicy,
    /// Prompt tokens a pass may take in, whole prompts.
    pub max_prefill_tokens: u32,
    /// Prompt tokens a pass may take in, chunks included.
    pub chunked_prefill_tokens: u32,
    /// Output tokens reserved for a request at most.
    pub clip_max_new_tokens: u32,
    /// 0..=1: how much of the running requests' future output is reserved.
    pub conservativeness: f64,
    /// Prefill times are divided by this; 0 leaves them as they are.
    pub prefill_speedup: f64,
    /// Decode times are divided by this; 0 leaves them as they are.
    pub decode_speedup: f64,
    /// Ways of the reference to keep.
    pub quirks: Quirks,
}

impl SglangConfig {
    /// What a request may exceed by itself.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            block_tokens: self.page_tokens,
            blocks: self.pages,
            whole_prompt_budget: None,
            max_model_tokens: self.max_model_tokens,
        }
    }
}
