//! The flags of `dynosim perf`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// Step times and memory.
#[derive(Debug, Subcommand)]
pub(crate) enum PerfCommand {
    /// GPUs, backends, versions and models that are known
    List(PerfListArgs),
    /// One step of one model
    #[command(after_help = PERF_EXAMPLES)]
    Query(PerfQueryArgs),
    /// How many KV blocks fit
    KvBlocks(PerfKvArgs),
    /// JSON lines of questions in, the same with answers out
    Eval(PerfEvalArgs),
}

const PERF_EXAMPLES: &str = "\
Examples:
  dynosim perf query --system h200_sxm --backend vllm --model Qwen/Qwen3-32B --tp-size 2 --prefill 1,4096,0
  dynosim perf query --system h100 --backend sglang --model deepseek-ai/DeepSeek-V3 --tp-size 8 \\
      --moe-ep-size 8 --decode 32,2048 --per-op";

/// A model on GPUs.
#[derive(Clone, Debug, Args)]
pub(crate) struct PerfModelArgs {
    /// Id of a known model, or a folder with its config.json
    #[arg(long, value_name = "ID|DIR")]
    pub(crate) model: String,
    /// GPU
    #[arg(long, value_name = "NAME")]
    pub(crate) system: String,
    /// vllm, sglang or trtllm
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: String,
    /// Version of the tables [default: current]
    #[arg(long, value_name = "VERSION")]
    pub(crate) backend_version: Option<String>,
    /// Tensor-parallel size [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) tp_size: Option<u32>,
    /// Pipeline-parallel size [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) pp_size: Option<u32>,
    /// Attention data-parallel size [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) attention_dp_size: Option<u32>,
    /// Tensor-parallel size of the experts
    #[arg(long, value_name = "N")]
    pub(crate) moe_tp_size: Option<u32>,
    /// Expert-parallel size
    #[arg(long, value_name = "N")]
    pub(crate) moe_ep_size: Option<u32>,
    /// Draft tokens a decode step
    #[arg(long, value_name = "N")]
    pub(crate) nextn: Option<u32>,
    /// Number format of matrix products
    #[arg(long, value_name = "FORMAT")]
    pub(crate) gemm_dtype: Option<String>,
    /// Number format of experts
    #[arg(long, value_name = "FORMAT")]
    pub(crate) moe_dtype: Option<String>,
    /// Number format of attention
    #[arg(long, value_name = "FORMAT")]
    pub(crate) fmha_dtype: Option<String>,
    /// Number format of the KV cache
    #[arg(long, value_name = "FORMAT")]
    pub(crate) kv_cache_dtype: Option<String>,
    /// Directory of further packed tables
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) perf_data: Option<PathBuf>,
}

/// Arguments of `perf list`.
#[derive(Debug, Args)]
pub(crate) struct PerfListArgs {
    /// Also say which models have prefill and decode times where, on one GPU
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `perf query`.
#[derive(Debug, Args)]
pub(crate) struct PerfQueryArgs {
    #[command(flatten)]
    pub(crate) model: PerfModelArgs,
    /// A prefill step: batch, tokens with the prefix, tokens of the prefix
    #[arg(long, value_name = "BATCH,ISL,PREFIX", value_parser = numbers::<3>)]
    pub(crate) prefill: Option<[u32; 3]>,
    /// A decode step: batch, context
    #[arg(long, value_name = "BATCH,CONTEXT", value_parser = numbers::<2>)]
    pub(crate) decode: Option<[u32; 2]>,
    /// Break the step down by operation
    #[arg(long)]
    pub(crate) per_op: bool,
}

/// Arguments of `perf kv-blocks`.
#[derive(Debug, Args)]
pub(crate) struct PerfKvArgs {
    #[command(flatten)]
    pub(crate) model: PerfModelArgs,
    /// Tokens in a block
    #[arg(long, value_name = "TOKENS", default_value_t = 64)]
    pub(crate) block_size: u32,
    /// Token budget of a pass
    #[arg(long, value_name = "TOKENS", default_value_t = 8192)]
    pub(crate) max_num_batched_tokens: u32,
    /// Share of memory that may be used
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    pub(crate) memory_fraction: Option<f64>,
}

/// Arguments of `perf eval`.
#[derive(Debug, Args)]
pub(crate) struct PerfEvalArgs {
    /// File of JSON lines, or - for standard input
    #[arg(value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Take bfloat16 attention where fp8 was not measured, which the reference
    /// does not
    #[arg(long)]
    pub(crate) bf16_attention_fallback: bool,
    /// Directory of further packed tables
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) perf_data: Option<PathBuf>,
}

/// `N` whole numbers between commas.
fn numbers<const N: usize>(text: &str) -> Result<[u32; N], String> {
    let parsed: Result<Vec<u32>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    parsed
        .ok()
        .and_then(|numbers| numbers.try_into().ok())
        .ok_or_else(|| format!("expected {N} whole numbers between commas"))
}
