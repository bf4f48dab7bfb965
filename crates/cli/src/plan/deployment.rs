//! From engine arguments and worker counts to the pools of a deployment.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use mocker::{EngineConfig, EngineKind, ParsedArgs, PoolEngines};
use replay::{Deployment, KvTransfer, PoolSpec, TransferTiming};
use serde_json::Value;
use sim_api::{Pool, Quirk, Quirks, Role};

use super::shared::Shared;
use super::timing::Timing;
use crate::args::config::read_object;
use crate::args::raw::DeploymentArgs;

/// One pool of workers, resolved.
#[derive(Clone, Debug)]
pub(crate) struct PoolPlan {
    pub(crate) pool: Pool,
    pub(crate) workers: u32,
    pub(crate) role: Role,
    pub(crate) config: EngineConfig,
    pub(crate) blocks: u32,
    pub(crate) timing: Timing,
}

/// All pools.
#[derive(Clone, Debug)]
pub(crate) struct DeploymentPlan {
    pub(crate) prefill: Option<PoolPlan>,
    pub(crate) decode: PoolPlan,
}

/// What the topology depends on besides the flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) quirks: Quirks,
    /// Whether a planner is in the loop, and if it plans for a disaggregated
    /// deployment.
    pub(crate) planner: Option<PlannedTopology>,
    pub(crate) perf_data: Option<&'a std::path::Path>,
    pub(crate) shared: &'a Shared,
}

/// The topology a planner is configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedTopology {
    Aggregated,
    Disaggregated,
}

impl DeploymentPlan {
    /// Reads and checks the flags.
    pub(crate) fn resolve(
        args: &DeploymentArgs,
        setting: Setting<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let plan = match (&args.prefill_engine_args, &args.decode_engine_args) {
            (None, None) => aggregated(args, setting, notes)?,
            (Some(prefill), Some(decode)) => {
                disaggregated(args, (prefill, decode), setting, notes)?
            }
            _ => bail!("prefill_engine_args and decode_engine_args must be provided together"),
        };
        if let Some(planned) = setting.planner {
            let given = if plan.prefill.is_some() {
                PlannedTopology::Disaggregated
            } else {
                PlannedTopology::Aggregated
            };
            ensure!(
                planned == given,
                "the planner's mode and the engine arguments disagree: mode \"agg\" takes \
                 --extra-engine-args, mode \"disagg\" takes --prefill-engine-args and \
                 --decode-engine-args"
            );
        }
        Ok(plan)
    }

    /// The pools, prefill first.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &PoolPlan> {
        self.prefill.iter().chain(std::iter::once(&self.decode))
    }

    /// Tokens in a KV block, the same in all pools.
    pub(crate) fn block_tokens(&self) -> u32 {
        self.decode.config.block_tokens
    }

    /// The deployment as the run loop wants it.
    pub(crate) fn deployment(&self) -> Deployment {
        let spec = |plan: &PoolPlan| PoolSpec {
            workers: plan.workers,
            startup: plan.config.startup,
        };
        let transfer = match &self.prefill {
            // Only a prefill worker that is one computes a transfer.
            Some(prefill) if prefill.role == Role::Prefill => {
                let args = prefill.config.transfer;
                let timing = match args.timing {
                    mocker::TransferTiming::FullPrompt => TransferTiming::FullPrompt,
                    mocker::TransferTiming::DestinationMissing => {
                        TransferTiming::DestinationMissing
                    }
                };
                KvTransfer::new(args.bytes_per_token, args.gb_per_s, timing)
            }
            _ => KvTransfer::free(),
        };
        Deployment {
            prefill: self.prefill.as_ref().map(spec),
            decode: spec(&self.decode),
            transfer,
        }
    }
}

fn aggregated(
    args: &DeploymentArgs,
    setting: Setting<'_>,
    notes: &mut Vec<String>,
) -> Result<DeploymentPlan> {
    let config = engine_config(
        "--extra-engine-args",
        args.extra_engine_args.as_deref(),
        setting.quirks,
        notes,
    )?;
    ensure!(
        args.num_prefill_workers.is_none_or(|n| n == 1)
            && args.num_decode_workers.is_none_or(|n| n == 1),
        "aggregated replay requires num_prefill_workers and num_decode_workers to stay 1; \
         give --num-workers, or the engine arguments of both pools"
    );
    let workers = args.num_workers.unwrap_or(1);
    ensure!(
        workers >= 1,
        "trace replay requires num_workers >= 1, got {workers}"
    );
    if let Some(role @ (Role::Prefill | Role::Decode)) = config.role {
        bail!(
            "aggregated replay requires extra_engine_args.worker_type=aggregated, got {}",
            role_word(Some(role))
        );
    }
    if args.router_mode.as_deref() == Some("kv_router") && setting.planner.is_none() {
        ensure!(
            workers > 1,
            "offline replay only supports router_mode=kv_router when num_workers > 1"
        );
    }
    let decode = PoolPlan::new(
        Pool::Decode,
        workers,
        Role::Aggregated,
        config,
        setting,
        notes,
    )?;
    Ok(DeploymentPlan {
        prefill: None,
        decode,
    })
}

fn disaggregated(
    args: &DeploymentArgs,
    (prefill, decode): (&str, &str),
    setting: Setting<'_>,
    notes: &mut Vec<String>,
) -> Result<DeploymentPlan> {
    ensure!(
        args.extra_engine_args.is_none(),
        "give either extra_engine_args (aggregated) or prefill_engine_args and \
         decode_engine_args (disaggregated), not both"
    );
    ensure!(
        args.num_workers.is_none_or(|n| n == 1),
        "disaggregated replay requires num_workers to stay 1; give --num-prefill-workers and \
         --num-decode-workers"
    );
    let quirks = setting.quirks;
    let prefill = engine_config("--prefill-engine-args", Some(prefill), quirks, notes)?;
    let decode = engine_config("--decode-engine-args", Some(decode), quirks, notes)?;
    let as_given = setting.planner.is_some() && quirks.has(Quirk::RolesAsGiven);
    let assigned = setting.planner.is_some() && !as_given;
    let prefill_role = pool_role("prefill", &prefill, Role::Prefill, as_given, assigned)?;
    let decode_role = pool_role("decode", &decode, Role::Decode, as_given, assigned)?;
    ensure!(
        prefill.block_tokens == decode.block_tokens,
        "disaggregated replay requires matching prefill/decode block_size, got {} and {}",
        prefill.block_tokens,
        decode.block_tokens
    );
    let count = |given: Option<u32>, name: &str| -> Result<u32> {
        let workers = given.unwrap_or(1);
        ensure!(
            workers >= 1,
            "disaggregated replay requires {name} >= 1, got {workers}"
        );
        Ok(workers)
    };
    let prefill_workers = count(args.num_prefill_workers, "num_prefill_workers")?;
    let decode_workers = count(args.num_decode_workers, "num_decode_workers")?;
    Ok(DeploymentPlan {
        prefill: Some(PoolPlan::new(
            Pool::Prefill,
            prefill_workers,
            prefill_role,
            prefill,
            setting,
            notes,
        )?),
        decode: PoolPlan::new(
            Pool::Decode,
            decode_workers,
            decode_role,
            decode,
            setting,
            notes,
        )?,
    })
}

/// The role of a pool's engines: what they are given, or what the pool is.
fn pool_role(
    pool: &str,
    config: &EngineConfig,
    wanted: Role,
    as_given: bool,
    assigned: bool,
) -> Result<Role> {
    match config.role {
        role if as_given => Ok(role.unwrap_or_default()),
        Some(role) if role == wanted => Ok(wanted),
        None if assigned => Ok(wanted),
        role => bail!(
            "disaggregated replay requires {pool}_engine_args.worker_type={wanted}, got {}",
            role_word(role)
        ),
    }
}

fn role_word(role: Option<Role>) -> &'static str {
    match role.unwrap_or_default() {
        Role::Aggregated => "Aggregated",
        Role::Prefill => "Prefill",
        Role::Decode => "Decode",
    }
}

/// Engine arguments from a flag; absent means all defaults.
fn engine_config(
    flag: &'static str,
    argument: Option<&str>,
    quirks: Quirks,
    notes: &mut Vec<String>,
) -> Result<EngineConfig> {
    let Some(argument) = argument else {
        return Ok(EngineConfig::default());
    };
    let (source, object) = read_object(flag, argument)?;
    let parsed = ParsedArgs::from_value(&Value::Object(object), quirks)
        .with_context(|| source.to_string())?;
    notes.extend(
        parsed
            .notes
            .into_iter()
            .map(|note| format!("{source}: {note}")),
    );
    Ok(parsed.config)
}

impl PoolPlan {
    fn new(
        pool: Pool,
        workers: u32,
        role: Role,
        config: EngineConfig,
        setting: Setting<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let timing = Timing::resolve(&config, setting, notes)?;
        let blocks = timing.kv_blocks(&config, setting)?;
        Ok(Self {
            pool,
            workers,
            role,
            config,
            blocks,
            timing,
        })
    }

    /// GPUs of one worker.
    pub(crate) fn gpus(&self) -> u32 {
        self.timing.gpus().unwrap_or(1)
    }

    /// What makes its engines.
    pub(crate) fn engines(&self, quirks: Quirks) -> PoolEngines {
        let timing = self.timing.clone();
        PoolEngines {
            scheduler: self.config.scheduler(self.role, self.blocks, quirks),
            gpus: self.gpus(),
            model: Arc::new(move || timing.model()),
        }
    }

    /// In words, for `--check` and reports.
    pub(crate) fn describe(&self) -> String {
        let engine = match self.config.kind {
            EngineKind::Vllm => "vLLM",
            EngineKind::Sglang => "SGLang",
            EngineKind::Trtllm => "TensorRT-LLM",
        };
        format!(
            "{} {} {engine} worker{}, {} KV blocks of {} tokens, {}",
            self.workers,
            self.role,
            if self.workers == 1 { "" } else { "s" },
            self.blocks,
            self.config.block_tokens,
            self.timing.describe()
        )
    }
}
