//! The flags as typed by the user.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use kv_router::RouterMode;

use super::perf::PerfCommand;
use serde::Serialize;

const EXAMPLES: &str = "\
Examples:
  dynosim                                     the planner example on an embedded workload
  dynosim replay trace.jsonl --num-workers 4  a recorded trace on four workers
  dynosim replay trace.jsonl --check          resolve and print everything, run nothing
  dynosim replay --input-tokens 2048 --output-tokens 128 --request-count 500 --request-rate 5
  dynosim trace stats trace.jsonl

Exit codes: 0 done, 1 the run failed, 2 bad usage or input, 3 a requested bound was missed.";

/// A digital twin of LLM serving: what TTFT, ITL, throughput and GPU-hours would
/// this trace give on that deployment, and what would the autoscaler do?
#[derive(Debug, Parser)]
#[command(name = "dynosim", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a trace or a synthetic load through a simulated deployment
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(Box<ReplayArgs>),
    /// Run many variants in parallel, into a folder that keeps what is done
    #[command(after_help = super::sweep::SWEEP_EXAMPLES)]
    Sweep(Box<super::sweep::SweepArgs>),
    /// Run points that `sweep --points` printed, into the same folder
    RunPoint(super::sweep::RunPointArgs),
    /// Look at, check, cut or make traces
    #[command(subcommand)]
    Trace(TraceCommand),
    /// Put runs side by side and say what is better at what
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(CompareArgs),
    /// Step times and KV capacity of GPUs and models
    #[command(subcommand)]
    Perf(PerfCommand),
    /// Print the JSON schema of an output
    Schema(SchemaArgs),
    /// Print a shell completion script
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  dynosim replay trace.jsonl --num-workers 4 --report-json report.json
  dynosim replay trace.jsonl --replay-concurrency 64 --sla-ttft-ms 1500 --fail-below-sla 0.99
  dynosim replay trace.jsonl --extra-engine-args '{\"block_size\": 16, \"num_gpu_blocks\": 32768}'
  dynosim replay trace.jsonl --extra-engine-args @engine.json --arrival-speedup-ratio 2
  dynosim replay --input-tokens 1024 --output-tokens 64 --request-count 100 --turns-per-session 4 \\
      --inter-turn-delay-ms 250 --replay-concurrency 16";

const COMPARE_EXAMPLES: &str = "\
Examples:
  dynosim compare agg.json disagg.json
  dynosim compare before.json after.json --fail-on ttft_p99:+5% --fail-on gpu_hours:+0%";

/// Flags of `replay`, named as the reference names them where it has them.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReplayArgs {
    /// Recorded trace, plain, gzip or zstd (or give the flags of a synthetic load)
    #[arg(value_name = "TRACE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,

    #[command(flatten, next_help_heading = "Deployment")]
    #[serde(flatten)]
    pub(crate) deployment: DeploymentArgs,
    #[command(flatten, next_help_heading = "Arrivals")]
    #[serde(flatten)]
    pub(crate) arrivals: ArrivalArgs,
    #[command(flatten, next_help_heading = "Synthetic load")]
    #[serde(flatten)]
    pub(crate) synthetic: SyntheticArgs,
    #[command(flatten, next_help_heading = "Router's prefill-load estimator")]
    #[serde(flatten)]
    pub(crate) aic: AicArgs,
    #[command(flatten, next_help_heading = "Goals")]
    #[serde(flatten)]
    pub(crate) goals: GoalArgs,
    #[command(flatten, next_help_heading = "Output")]
    #[serde(skip)]
    pub(crate) output: OutputArgs,
}

/// Engines, workers, router, planner.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DeploymentArgs {
    /// Engine arguments of all workers: JSON, a path, or @path
    #[arg(long, value_name = "JSON|PATH")]
    pub(crate) extra_engine_args: Option<String>,
    /// Engine arguments of the prefill pool; makes the deployment disaggregated
    #[arg(long, value_name = "JSON|PATH")]
    pub(crate) prefill_engine_args: Option<String>,
    /// Engine arguments of the decode pool
    #[arg(long, value_name = "JSON|PATH")]
    pub(crate) decode_engine_args: Option<String>,
    /// Router configuration
    #[arg(long, value_name = "JSON|PATH")]
    pub(crate) router_config: Option<String>,
    /// Planner configuration: puts the autoscaler in the loop
    #[arg(long, value_name = "JSON|PATH")]
    pub(crate) planner_config: Option<String>,
    /// Workers of an aggregated deployment [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) num_workers: Option<u32>,
    /// Workers of the prefill pool [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) num_prefill_workers: Option<u32>,
    /// Workers of the decode pool [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) num_decode_workers: Option<u32>,
    /// How requests find workers [default: round_robin]
    #[arg(long, value_name = "MODE", value_parser = PossibleValuesParser::new(RouterMode::ALL.map(RouterMode::name)))]
    pub(crate) router_mode: Option<String>,
    /// Only `offline`: simulated time, no engines
    #[arg(long, value_name = "MODE", default_value = "offline")]
    pub(crate) replay_mode: String,
    /// Points an axis when the planner's regressions are bootstrapped
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) benchmark_granularity: u32,
    /// Reference to equal: `1.2.1`, or `default` for its rules without known mistakes
    #[arg(long, value_name = "VERSION", default_value = "default")]
    pub(crate) compat: String,
    /// Seed of everything random that has no seed of its own
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Directory of further packed step-time tables
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) perf_data: Option<PathBuf>,
    /// Delay from a change of a KV cache to the router's knowledge of it
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub(crate) kv_event_lag_ms: f64,
}

/// When requests of a trace arrive.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ArrivalArgs {
    /// Closed loop: at most N requests in flight, timestamps ignored
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) replay_concurrency: Option<i64>,
    /// Divides all arrival times and delays [default: 1]
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pub(crate) arrival_speedup_ratio: Option<f64>,
    /// mooncake, applied_compute_agentic, azure or burstgpt [default: mooncake]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) trace_format: Option<String>,
    /// Tokens behind one hash id of the trace [default: 512]
    #[arg(long, value_name = "TOKENS")]
    pub(crate) trace_block_size: Option<u32>,
    /// Share of a prompt common to its group (formats without hash ids)
    #[arg(
        long,
        value_name = "RATIO",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    pub(crate) trace_shared_prefix_ratio: f64,
    /// Number of such groups
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) trace_num_prefix_groups: u32,
    /// Use only the first N requests
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Use only requests from this second of the trace on
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// Use only requests before this second of the trace
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub(crate) to: Option<f64>,
}

/// A generated load.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SyntheticArgs {
    /// Prompt length (ISL)
    #[arg(long, value_name = "TOKENS")]
    pub(crate) input_tokens: Option<u32>,
    /// Output length (OSL)
    #[arg(long, value_name = "TOKENS")]
    pub(crate) output_tokens: Option<u32>,
    /// Requests, or sessions if they have several turns
    #[arg(long, value_name = "N")]
    pub(crate) request_count: Option<u64>,
    /// Fixed gap between arrivals [default: 1]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) arrival_interval_ms: Option<f64>,
    /// Poisson arrivals of this many requests a second, instead of a fixed gap
    #[arg(long, value_name = "RPS", allow_negative_numbers = true)]
    pub(crate) request_rate: Option<f64>,
    /// Seed of the Poisson arrivals
    #[arg(long, value_name = "SEED", default_value_t = 42)]
    pub(crate) arrival_seed: u64,
    /// Turns of a session [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) turns_per_session: Option<u32>,
    /// Share of a prompt common to its group [default: 0]
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    pub(crate) shared_prefix_ratio: Option<f64>,
    /// Number of such groups [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) num_prefix_groups: Option<u32>,
    /// Pause between the turns of a session [default: 0]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) inter_turn_delay_ms: Option<f64>,
}

/// The router's estimate of prefill times.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AicArgs {
    /// Backend, as in the engine arguments
    #[arg(long, value_name = "NAME")]
    pub(crate) aic_backend: Option<String>,
    /// GPU
    #[arg(long, value_name = "NAME")]
    pub(crate) aic_system: Option<String>,
    /// Version of the tables
    #[arg(long, value_name = "VERSION")]
    pub(crate) aic_backend_version: Option<String>,
    /// Tensor-parallel size
    #[arg(long, value_name = "N")]
    pub(crate) aic_tp_size: Option<u32>,
    /// Model
    #[arg(long, value_name = "ID|DIR")]
    pub(crate) aic_model_path: Option<String>,
}

/// Service-level targets.
#[derive(Clone, Debug, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct GoalArgs {
    /// Target for the time to first token
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) sla_ttft_ms: Option<f64>,
    /// Target for the time per output token
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) sla_itl_ms: Option<f64>,
    /// Target for the whole request
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) sla_e2e_ms: Option<f64>,
    /// Exit with 3 if a smaller share of requests meets the targets
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    pub(crate) fail_below_sla: Option<f64>,
    /// Price of a GPU-hour, for the cost in reports
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    pub(crate) gpu_hour_price: Option<f64>,
}

/// What is written where.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Write the report here (a directory gets the reference's file name)
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) report_json: Option<PathBuf>,
    /// Write one JSON line a request here
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) report_jsonl: Option<PathBuf>,
    /// Write an HTML report here
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// Write one JSON line a planner tick here
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) planner_log: Option<PathBuf>,
    /// Print the report as JSON on stdout instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Print nothing but errors and what was asked for
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Resolve and print everything, run nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Leave out the figures that depend on the speed of this machine
    #[arg(long)]
    pub(crate) no_wall_clock: bool,
}

/// Work on traces.
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Requests, span, rate, lengths, reuse, burstiness
    Stats(TraceStatsArgs),
    /// Check every line and name what is wrong
    Validate(TraceFileArgs),
    /// Write any trace as a Mooncake trace
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert(TraceConvertArgs),
    /// Cut a piece out of a trace
    Cut(TraceCutArgs),
    /// Write a generated trace
    Synth(TraceSynthArgs),
}

/// A trace and how to read it.
#[derive(Debug, Args)]
pub(crate) struct TraceFileArgs {
    /// The trace, plain, gzip or zstd
    #[arg(value_name = "TRACE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: PathBuf,
    /// Tokens behind one hash id
    #[arg(long, value_name = "TOKENS", default_value_t = 512)]
    pub(crate) trace_block_size: u32,
    /// mooncake, applied_compute_agentic, azure or burstgpt [default: mooncake]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) trace_format: Option<String>,
}

const CONVERT_EXAMPLES: &str = "\
Examples:
  dynosim trace convert AzureLLMInferenceTrace_conv.csv --trace-format azure -o azure.jsonl
  dynosim trace convert BurstGPT_1.csv --trace-format burstgpt --trace-block-size 64 -o burst.jsonl.gz";

/// Arguments of `trace convert`.
#[derive(Debug, Args)]
pub(crate) struct TraceConvertArgs {
    #[command(flatten)]
    pub(crate) file: TraceFileArgs,
    /// Where it goes; compressed if it ends in .gz
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// Arguments of `trace stats`.
#[derive(Debug, Args)]
pub(crate) struct TraceStatsArgs {
    #[command(flatten)]
    pub(crate) file: TraceFileArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page with charts of arrivals, lengths and reuse
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

/// Arguments of `trace cut`.
#[derive(Debug, Args)]
pub(crate) struct TraceCutArgs {
    /// The trace, plain, gzip or zstd
    #[arg(value_name = "TRACE", value_hint = ValueHint::FilePath)]
    pub(crate) trace: PathBuf,
    /// Where the piece goes
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Keep only the first N rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Keep only rows from this second on
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// Keep only rows before this second
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub(crate) to: Option<f64>,
}

/// Arguments of `trace synth`.
#[derive(Debug, Args)]
pub(crate) struct TraceSynthArgs {
    /// Which real trace it is like: `toolagent`, tool and agent traffic with the
    /// published statistics of Mooncake's trace of that name
    #[arg(long, value_name = "NAME", value_enum)]
    pub(crate) twin: TwinName,
    /// Seed of the generator
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where it goes; compressed if it ends in .gz
    #[arg(long, short, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

/// Traces with a generated twin.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TwinName {
    /// Tool and agent traffic.
    Toolagent,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// JSON reports; the first is what the others are compared with
    #[arg(value_name = "REPORT", num_args = 2.., required = true, value_hint = ValueHint::FilePath)]
    pub(crate) reports: Vec<PathBuf>,
    /// Exit with 3 if a metric misses a bound, as `ttft_p99:+5%` (relative to the
    /// first run) or `itl_mean:<50`; may be given several times
    #[arg(long, value_name = "METRIC:BOUND")]
    pub(crate) fail_on: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page with the runs' figures as bars, and their workers over time
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which output
    pub(crate) name: SchemaName,
}

/// Outputs with a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SchemaName {
    /// The JSON report of a run
    Report,
}
