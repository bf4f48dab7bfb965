//! Engine arguments after checking: everything a deployment says about one
//! kind of worker.

use std::path::PathBuf;

use sim_api::{Quirk, Quirks, Role};
use sim_core::SimDuration;

use crate::config::{Preemption, SchedulePolicy, SglangConfig, Speculation, VllmConfig};
use crate::factory::Scheduler;

/// KV blocks of an engine that names neither blocks nor a GPU and a model.
pub const DEFAULT_BLOCKS: u32 = 16_384;

/// Which engine's scheduler is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// vLLM.
    #[default]
    Vllm,
    /// SGLang.
    Sglang,
    /// TensorRT-LLM: scheduled like vLLM, with blocks of 32 tokens.
    Trtllm,
}

impl EngineKind {
    /// Its name in engine arguments and in performance tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Trtllm => "trtllm",
        }
    }
}

/// How long moving a prompt's KV from a prefill to a decode worker takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransferArgs {
    /// Bytes of KV a token has.
    pub bytes_per_token: Option<u64>,
    /// Bandwidth in 10⁹ bytes a second; absent or 0 means no delay.
    pub gb_per_s: Option<f64>,
    /// What is moved.
    pub timing: TransferTiming,
}

/// Which tokens a KV transfer moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransferTiming {
    /// All of the prompt.
    #[default]
    FullPrompt,
    /// What the destination has not cached.
    DestinationMissing,
}

/// GPU, model and their parallelism, for analytical step times and memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AicArgs {
    /// Inference backend (`vllm`, `sglang`, `trtllm`).
    pub backend: Option<String>,
    /// GPU system; the reference's default is `h200_sxm`.
    pub system: Option<String>,
    /// Version of the backend.
    pub backend_version: Option<String>,
    /// Model name or path of its configuration.
    pub model_path: Option<String>,
    /// Tensor parallelism.
    pub tp_size: Option<u32>,
    /// Tensor parallelism of the experts.
    pub moe_tp_size: Option<u32>,
    /// Expert parallelism.
    pub moe_ep_size: Option<u32>,
    /// Data parallelism of attention.
    pub attention_dp_size: Option<u32>,
    /// Number format of the matrix products.
    pub gemm_dtype: Option<String>,
    /// Number format of the experts.
    pub moe_dtype: Option<String>,
    /// Number format of attention.
    pub fmha_dtype: Option<String>,
    /// Number format of the KV cache.
    pub kv_cache_dtype: Option<String>,
    /// Number format of communication.
    pub comm_dtype: Option<String>,
}

/// Which share of GPU memory the KV cache may fill; absent means the engine's default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MemoryArgs {
    /// vLLM: of all memory.
    pub gpu_memory_utilization: Option<f64>,
    /// SGLang: of all memory.
    pub mem_fraction_static: Option<f64>,
    /// TensorRT-LLM: of what is free after loading.
    pub free_gpu_memory_fraction: Option<f64>,
}

/// The limits an SGLang scheduler has of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SglangArgs {
    /// Order of the waiting queue.
    pub policy: SchedulePolicy,
    /// Prompt tokens a pass may take in.
    pub max_prefill_tokens: u32,
    /// Prompt tokens of a chunk.
    pub chunked_prefill_tokens: u32,
    /// Output tokens reserved for a request at most.
    pub clip_max_new_tokens: u32,
    /// 0..=1.
    pub conservativeness: f64,
}

impl Default for SglangArgs {
    fn default() -> Self {
        Self {
            policy: SchedulePolicy::Fifo,
            max_prefill_tokens: 16_384,
            chunked_prefill_tokens: 8192,
            clip_max_new_tokens: 4096,
            conservativeness: 1.0,
        }
    }
}

/// Engine arguments, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// The scheduler.
    pub kind: EngineKind,
    /// What its workers do; `None` if not said.
    pub role: Option<Role>,
    /// Tokens in a KV block.
    pub block_tokens: u32,
    /// KV blocks; `None` leaves it to a memory model or [`DEFAULT_BLOCKS`].
    pub blocks: Option<u32>,
    /// Seats; `None` if unlimited.
    pub max_sequences: Option<u32>,
    /// Token budget of a pass; `None` if unlimited.
    pub max_batched_tokens: Option<u32>,
    /// Longest prompt plus output.
    pub max_model_tokens: Option<u32>,
    /// Whether full blocks can be matched by later prompts.
    pub prefix_caching: bool,
    /// Whether a prompt may be computed over several passes.
    pub chunked_prefill: bool,
    /// Divides prefill and decode times.
    pub speedup_ratio: f64,
    /// Divides decode times once more.
    pub decode_speedup_ratio: f64,
    /// Who gives way when blocks run out.
    pub preemption: Preemption,
    /// From being asked for to taking requests.
    pub startup: SimDuration,
    /// KV hand-off.
    pub transfer: TransferArgs,
    /// Analytical timing.
    pub aic: AicArgs,
    /// File of measured step times.
    pub profile: Option<PathBuf>,
    /// Speculative decoding.
    pub speculation: Option<Speculation>,
    /// KV memory.
    pub memory: MemoryArgs,
    /// Overrides the router's queue order.
    pub router_queue_policy: Option<String>,
    /// SGLang's own limits.
    pub sglang: SglangArgs,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            kind: EngineKind::Vllm,
            role: None,
            block_tokens: 64,
            blocks: None,
            max_sequences: Some(256),
            max_batched_tokens: Some(8192),
            max_model_tokens: None,
            prefix_caching: true,
            chunked_prefill: true,
            speedup_ratio: 1.0,
            decode_speedup_ratio: 1.0,
            preemption: Preemption::Lifo,
            startup: SimDuration::ZERO,
            transfer: TransferArgs::default(),
            aic: AicArgs::default(),
            profile: None,
            speculation: None,
            memory: MemoryArgs::default(),
            router_queue_policy: None,
            sglang: SglangArgs::default(),
        }
    }
}

impl EngineConfig {
    /// Whether the number of blocks is for a memory model to say.
    pub fn wants_memory_model(&self, quirks: Quirks) -> bool {
        self.blocks.is_none() && self.aic.backend.is_some() && !quirks.has(Quirk::FixedKvBlocks)
    }

    /// The scheduler of a worker with this role and that many blocks.
    pub fn scheduler(&self, role: Role, blocks: u32, quirks: Quirks) -> Scheduler {
        match self.kind {
            EngineKind::Vllm | EngineKind::Trtllm => {
                Scheduler::Vllm(self.vllm(role, blocks, quirks))
            }
            EngineKind::Sglang => Scheduler::Sglang(self.sglang(role, blocks, quirks)),
        }
    }

    /// The vLLM scheduler of a worker with this role and that many blocks.
    pub fn vllm(&self, role: Role, blocks: u32, quirks: Quirks) -> VllmConfig {
        VllmConfig {
            role,
            block_tokens: self.block_tokens,
            blocks,
            max_sequences: self.max_sequences,
            max_batched_tokens: self.max_batched_tokens,
            max_model_tokens: self.max_model_tokens,
            prefix_caching: self.prefix_caching,
            chunked_prefill: self.chunked_prefill,
            prefill_speedup: self.speedup_ratio,
            decode_speedup: self.speedup_ratio * self.decode_speedup_ratio,
            preemption: self.preemption,
            speculation: self.speculation.clone(),
            quirks,
        }
    }

    /// The SGLang scheduler of a worker with this role and that many pages.
    pub fn sglang(&self, role: Role, blocks: u32, quirks: Quirks) -> SglangConfig {
        SglangConfig {
            role,
            page_tokens: self.block_tokens,
            pages: blocks,
            max_batched_tokens: self.max_batched_tokens,
            max_model_tokens: self.max_model_tokens,
            policy: self.sglang.policy,
            max_prefill_tokens: self.sglang.max_prefill_tokens,
            chunked_prefill_tokens: self.sglang.chunked_prefill_tokens,
            clip_max_new_tokens: self.sglang.clip_max_new_tokens,
            conservativeness: self.sglang.conservativeness,
            prefill_speedup: self.speedup_ratio,
            decode_speedup: self.speedup_ratio * self.decode_speedup_ratio,
            quirks,
        }
    }
}
