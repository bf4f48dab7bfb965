//! Engine arguments from JSON.

use serde_json::{Map, Value};
use sim_api::{Quirk, Quirks, Role};
use sim_core::SimDuration;

use crate::config::{Preemption, SchedulePolicy};
use crate::engine_config::{
    AicArgs, EngineConfig, EngineKind, MemoryArgs, SglangArgs, TransferArgs, TransferTiming,
};

use super::error::{ArgsError, UnknownField, nearest};
use super::fields::{Fields, kind};
use super::speculation;

/// Fields of the reference 1.2.1.
const FIELDS: &[&str] = &[
    "aic_attention_dp_size",
    "aic_backend",
    "aic_backend_version",
    "aic_model_path",
    "aic_moe_ep_size",
    "aic_moe_tp_size",
    "aic_system",
    "aic_tp_size",
    "bandwidth_g1_to_g2_gbps",
    "bandwidth_g2_to_g1_gbps",
    "block_size",
    "bootstrap_port",
    "decode_speedup_ratio",
    "dp_size",
    "enable_chunked_prefill",
    "enable_local_indexer",
    "enable_prefix_caching",
    "engine_type",
    "has_perf_model",
    "is_decode",
    "is_prefill",
    "kv_bytes_per_token",
    "kv_transfer_bandwidth",
    "max_num_batched_tokens",
    "max_num_seqs",
    "num_g2_blocks",
    "num_gpu_blocks",
    "offload_batch_size",
    "planner_profile_data",
    "preemption_mode",
    "reasoning",
    "router_queue_policy",
    "sglang",
    "speedup_ratio",
    "startup_time",
    "worker_type",
    "zmq_kv_events_port",
    "zmq_replay_port",
];

/// Fields of later versions.
const LATER_FIELDS: &[&str] = &[
    "aic_comm_dtype",
    "aic_fmha_dtype",
    "aic_gemm_dtype",
    "aic_kv_cache_dtype",
    "aic_moe_dtype",
    "aic_mtp_seed",
    "aic_nextn",
    "aic_nextn_accept_rates",
    "free_gpu_memory_fraction",
    "gpu_memory_utilization",
    "kv_transfer_timing_mode",
    "max_model_len",
    "mem_fraction_static",
    "trtllm",
];

const SGLANG_FIELDS: &[&str] = &[
    "chunked_prefill_size",
    "clip_max_new_tokens",
    "max_prefill_tokens",
    "page_size",
    "schedule_conservativeness",
    "schedule_policy",
];

const REASONING_FIELDS: &[&str] = &[
    "end_thinking_token_id",
    "start_thinking_token_id",
    "thinking_ratio",
];

/// Names of the fields that engine arguments may have.
pub fn engine_field_names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().chain(LATER_FIELDS).copied()
}

/// Engine arguments and what was remarkable about them.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedArgs {
    /// The arguments, defaults filled in.
    pub config: EngineConfig,
    /// Sentences for the user: what was passed over, what has no effect.
    pub notes: Vec<String>,
}

impl ParsedArgs {
    /// Reads engine arguments from JSON text.
    ///
    /// # Errors
    /// Not JSON, or as [`ParsedArgs::from_value`].
    pub fn from_json(text: &str, quirks: Quirks) -> Result<Self, ArgsError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| ArgsError::NotJson(error.to_string()))?;
        Self::from_value(&value, quirks)
    }

    /// Reads engine arguments from a JSON object.
    ///
    /// Under [`Quirk::LaxConfig`] a value of the wrong type counts as absent;
    /// under [`Quirk::RefuseLaterFeatures`] fields that came after 1.2.1 are unknown.
    ///
    /// # Errors
    /// Unknown fields, wrong types, values out of range, fields that conflict.
    pub fn from_value(value: &Value, quirks: Quirks) -> Result<Self, ArgsError> {
        let map = value
            .as_object()
            .ok_or_else(|| ArgsError::NotAnObject(kind(value)))?;
        let later = !quirks.has(Quirk::RefuseLaterFeatures);
        let lax = quirks.has(Quirk::LaxConfig);
        let known = || {
            FIELDS
                .iter()
                .chain(if later { LATER_FIELDS } else { &[] })
                .copied()
        };
        refuse_unknown(map, known)?;

        let mut fields = Fields::new(map, "", lax);
        let mut notes = Vec::new();
        let mut config = scheduler(&mut fields, later)?;
        sglang(&mut config, &mut fields, lax, &mut notes)?;
        trtllm(&fields, config.kind, &mut notes)?;
        config.block_tokens = block_tokens(config.block_tokens, config.kind, &fields)?;
        config.role = role(&mut fields)?;
        surroundings(&mut config, &mut fields)?;
        without_effect(&mut fields, lax)?;
        config.speculation = speculation::read(&mut fields)?;
        check_speculation(&config)?;
        notes.extend(
            fields
                .into_passed_over()
                .into_iter()
                .map(|field| format!("{field} has the wrong JSON type and counts as absent")),
        );
        Ok(Self { config, notes })
    }
}

fn refuse_unknown<I>(map: &Map<String, Value>, known: impl Fn() -> I) -> Result<(), ArgsError>
where
    I: Iterator<Item = &'static str>,
{
    let unknown: Vec<UnknownField> = map
        .keys()
        .filter(|name| !known().any(|field| field == name.as_str()))
        .map(|name| UnknownField {
            name: name.clone(),
            nearest: nearest(name, known()),
        })
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ArgsError::UnknownFields(unknown))
    }
}

/// What the scheduler does. `block_tokens` is 0 where it is to be chosen.
fn scheduler(fields: &mut Fields<'_>, later: bool) -> Result<EngineConfig, ArgsError> {
    let mut config = EngineConfig::default();
    let kinds = [
        ("vllm", EngineKind::Vllm),
        ("sglang", EngineKind::Sglang),
        ("trtllm", EngineKind::Trtllm),
    ];
    let (kinds, expected) = if later {
        (&kinds[..], "\"vllm\", \"sglang\" or \"trtllm\"")
    } else {
        (&kinds[..2], "\"vllm\" or \"sglang\"")
    };
    config.kind = fields
        .word("engine_type", kinds, expected)?
        .unwrap_or_default();
    config.blocks = fields.count("num_gpu_blocks", 1)?;
    config.block_tokens = fields.count("block_size", 0)?.unwrap_or(0);
    config.max_sequences = fields.limit("max_num_seqs", 256)?;
    config.max_batched_tokens = fields.limit("max_num_batched_tokens", 8192)?;
    config.max_model_tokens = fields.count("max_model_len", 1)?;
    config.prefix_caching = fields.boolean("enable_prefix_caching")?.unwrap_or(true);
    config.chunked_prefill = fields.boolean("enable_chunked_prefill")?.unwrap_or(true);
    config.speedup_ratio = fields.number("speedup_ratio", f64::MAX)?.unwrap_or(1.0);
    config.decode_speedup_ratio = fields
        .number("decode_speedup_ratio", f64::MAX)?
        .unwrap_or(1.0);
    let modes = [("lifo", Preemption::Lifo), ("fifo", Preemption::Fifo)];
    config.preemption = fields
        .word("preemption_mode", &modes, "\"lifo\" or \"fifo\"")?
        .unwrap_or_default();
    match fields.count("dp_size", 1)? {
        None | Some(1) => Ok(config),
        Some(size) => Err(fields.out_of_range(
            "dp_size",
            format!("replay only supports data_parallel_size=1, got {size}"),
        )),
    }
}

fn block_tokens(given: u32, kind: EngineKind, fields: &Fields<'_>) -> Result<u32, ArgsError> {
    match (given, kind) {
        (0, EngineKind::Vllm) => Ok(64),
        (0, EngineKind::Trtllm) => Ok(32),
        (0, EngineKind::Sglang) => Ok(1),
        (1, EngineKind::Vllm | EngineKind::Trtllm) => {
            Err(fields.out_of_range("block_size", "must be at least 2, got 1".to_owned()))
        }
        (given, _) => Ok(given),
    }
}

/// The `sglang` object. May choose `block_tokens`.
fn sglang(
    config: &mut EngineConfig,
    fields: &mut Fields<'_>,
    lax: bool,
    notes: &mut Vec<String>,
) -> Result<(), ArgsError> {
    let Some(map) = fields.object("sglang")? else {
        return Ok(());
    };
    if !lax {
        refuse_unknown(map, || SGLANG_FIELDS.iter().copied())?;
    }
    // Wrong types inside objects are errors even when lax, as in the reference.
    let mut inner = Fields::new(map, "sglang.", false);
    let default = SglangArgs::default();
    let page = inner.count("page_size", 1)?;
    let chunk = inner.count("chunked_prefill_size", 1)?;
    config.sglang = SglangArgs {
        policy: match inner.text("schedule_policy")? {
            Some("lpm") => SchedulePolicy::Lpm,
            None | Some("fifo" | "fcfs") => SchedulePolicy::Fifo,
            Some(other) => {
                notes.push(format!(
                    "sglang.schedule_policy {other:?} is neither \"fifo\" nor \"lpm\": fifo is used"
                ));
                SchedulePolicy::Fifo
            }
        },
        max_prefill_tokens: inner
            .count("max_prefill_tokens", 1)?
            .unwrap_or(default.max_prefill_tokens),
        chunked_prefill_tokens: chunk.unwrap_or(default.chunked_prefill_tokens),
        clip_max_new_tokens: inner
            .count("clip_max_new_tokens", 1)?
            .unwrap_or(default.clip_max_new_tokens),
        conservativeness: inner
            .number("schedule_conservativeness", 1.0)?
            .unwrap_or(default.conservativeness),
    };
    if let Some(page) = page
        && config.block_tokens != 0
        && config.block_tokens != page
    {
        return Err(ArgsError::Conflict(format!(
            "block_size {} and sglang.page_size {page} must be equal",
            config.block_tokens
        )));
    }
    if config.kind != EngineKind::Sglang {
        return Ok(());
    }
    config.block_tokens = page.unwrap_or(config.block_tokens).max(1);
    match chunk {
        Some(chunk) if chunk % config.block_tokens != 0 => {
            let why = format!(
                "must be a multiple of block_size {}, got {chunk}",
                config.block_tokens
            );
            Err(inner.out_of_range("chunked_prefill_size", why))
        }
        _ => Ok(()),
    }
}

/// The `trtllm` object.
fn trtllm(fields: &Fields<'_>, kind: EngineKind, notes: &mut Vec<String>) -> Result<(), ArgsError> {
    if kind == EngineKind::Trtllm {
        notes.push(
            "engine_type trtllm is scheduled like vllm (max_utilization: preemption on demand)"
                .to_owned(),
        );
    }
    let Some(map) = fields.object("trtllm")? else {
        return Ok(());
    };
    refuse_unknown(map, || std::iter::once("capacity_scheduler_policy"))?;
    Fields::new(map, "trtllm.", false)
        .word(
            "capacity_scheduler_policy",
            &[("max_utilization", ()), ("MAX_UTILIZATION", ())],
            "\"max_utilization\"",
        )
        .map(|_| ())
}

/// `worker_type`, or the older `is_prefill` and `is_decode`.
fn role(fields: &mut Fields<'_>) -> Result<Option<Role>, ArgsError> {
    let words = [
        ("aggregated", Role::Aggregated),
        ("prefill", Role::Prefill),
        ("decode", Role::Decode),
    ];
    let expected = "\"aggregated\", \"prefill\" or \"decode\"";
    let word = fields.word("worker_type", &words, expected)?;
    let prefill = fields.boolean("is_prefill")?;
    let decode = fields.boolean("is_decode")?;
    if word.is_some() && (prefill.is_some() || decode.is_some()) {
        return Err(ArgsError::Conflict(
            "worker_type and is_prefill/is_decode cannot be given together".to_owned(),
        ));
    }
    match (prefill, decode) {
        (Some(true), Some(true)) => Err(ArgsError::Conflict(
            "is_prefill and is_decode cannot both be true".to_owned(),
        )),
        (Some(true), _) => Ok(Some(Role::Prefill)),
        (_, Some(true)) => Ok(Some(Role::Decode)),
        (Some(false), _) | (_, Some(false)) => Ok(Some(Role::Aggregated)),
        (None, None) => Ok(word),
    }
}

/// What is around the scheduler: start-up, hand-off, timing, memory.
fn surroundings(config: &mut EngineConfig, fields: &mut Fields<'_>) -> Result<(), ArgsError> {
    let startup = fields.number("startup_time", f64::MAX)?.unwrap_or(0.0);
    config.startup = SimDuration::try_from_secs(startup)
        .map_err(|error| ArgsError::duration("startup_time", error))?;
    let timings = [
        ("full_prompt", TransferTiming::FullPrompt),
        ("destination_missing", TransferTiming::DestinationMissing),
    ];
    config.transfer = TransferArgs {
        bytes_per_token: fields.whole("kv_bytes_per_token", 0)?,
        gb_per_s: fields.number("kv_transfer_bandwidth", f64::MAX)?,
        timing: fields
            .word(
                "kv_transfer_timing_mode",
                &timings,
                "\"full_prompt\" or \"destination_missing\"",
            )?
            .unwrap_or_default(),
    };
    config.profile = fields.text("planner_profile_data")?.map(Into::into);
    config.router_queue_policy = fields.text("router_queue_policy")?.map(str::to_owned);
    config.memory = MemoryArgs {
        gpu_memory_utilization: fields.number("gpu_memory_utilization", 1.0)?,
        mem_fraction_static: fields.number("mem_fraction_static", 1.0)?,
        free_gpu_memory_fraction: fields.number("free_gpu_memory_fraction", 1.0)?,
    };
    config.aic = aic(fields)?;
    Ok(())
}

fn aic(fields: &mut Fields<'_>) -> Result<AicArgs, ArgsError> {
    let mut text = |name| Ok::<_, ArgsError>(fields.text(name)?.map(str::to_owned));
    let mut aic = AicArgs {
        backend: text("aic_backend")?,
        system: text("aic_system")?,
        backend_version: text("aic_backend_version")?,
        model_path: text("aic_model_path")?,
        gemm_dtype: text("aic_gemm_dtype")?,
        moe_dtype: text("aic_moe_dtype")?,
        fmha_dtype: text("aic_fmha_dtype")?,
        kv_cache_dtype: text("aic_kv_cache_dtype")?,
        comm_dtype: text("aic_comm_dtype")?,
        ..AicArgs::default()
    };
    aic.tp_size = fields.count("aic_tp_size", 1)?;
    aic.moe_tp_size = fields.count("aic_moe_tp_size", 1)?;
    aic.moe_ep_size = fields.count("aic_moe_ep_size", 1)?;
    aic.attention_dp_size = fields.count("aic_attention_dp_size", 1)?;
    if aic.backend.is_some() && aic.model_path.is_none() {
        return Err(ArgsError::Conflict(
            "aic_backend needs aic_model_path".to_owned(),
        ));
    }
    Ok(aic)
}

/// Fields that are checked but change nothing in a replay.
fn without_effect(fields: &mut Fields<'_>, lax: bool) -> Result<(), ArgsError> {
    for port in ["bootstrap_port", "zmq_kv_events_port", "zmq_replay_port"] {
        fields.count(port, 0)?;
    }
    fields.boolean("enable_local_indexer")?;
    for count in ["num_g2_blocks", "offload_batch_size"] {
        fields.count(count, 1)?;
    }
    for bandwidth in ["bandwidth_g1_to_g2_gbps", "bandwidth_g2_to_g1_gbps"] {
        fields.number(bandwidth, f64::MAX)?;
    }
    if let Some(map) = fields.object("reasoning")? {
        if !lax {
            refuse_unknown(map, || REASONING_FIELDS.iter().copied())?;
        }
        Fields::new(map, "reasoning.", false).number("thinking_ratio", 1.0)?;
    }
    Ok(())
}

/// Acceptance already says how much faster decoding is.
fn check_speculation(config: &EngineConfig) -> Result<(), ArgsError> {
    if config.speculation.is_none() {
        return Ok(());
    }
    if (config.decode_speedup_ratio - 1.0).abs() > 0.0 {
        return Err(ArgsError::Conflict(format!(
            "aic_nextn needs decode_speedup_ratio 1, got {}",
            config.decode_speedup_ratio
        )));
    }
    if config.kind == EngineKind::Sglang {
        return Err(ArgsError::Conflict(
            "aic_nextn is simulated for engine_type vllm only".to_owned(),
        ));
    }
    Ok(())
}
