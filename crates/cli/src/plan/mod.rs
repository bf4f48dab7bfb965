//! A run, resolved from flags and configuration: nothing later reads a flag.

mod autoscaler;
mod deployment;
mod goals;
mod router;
mod shared;
mod timing;
pub(crate) mod workload;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kv_router::Side;
use mocker::{Factory, Implementation};
use replay::RunSpec;
use serde_json::{Map, Value, json};
use sim_api::{Compat, EngineFactory, Quirk, Quirks, Router, Workload};
use sim_core::SimDuration;

use crate::args::raw::ReplayArgs;
use crate::exit::Failure;
use autoscaler::{PlannerPlan, Policy};
use deployment::{DeploymentPlan, Setting};
use goals::Goals;
use router::RouterPlan;
pub use shared::Shared;
use workload::WorkloadPlan;

/// Everything about a run, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    compat: Compat,
    seed: u64,
    pub(crate) deployment: DeploymentPlan,
    pub(crate) workload: WorkloadPlan,
    routers: RouterPlan,
    pub(crate) planner: Option<PlannerPlan>,
    pub(crate) goals: Goals,
    pub(crate) no_wall_clock: bool,
    kv_event_lag: SimDuration,
    implementation: Implementation,
    /// Sentences for the user.
    pub(crate) notes: Vec<String>,
}

/// `replay`'s flags without a program around them.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    replay: ReplayArgs,
}

impl Plan {
    /// Resolves the flags of `dynosim replay`.
    ///
    /// # Errors
    /// A flag, a configuration or the head of the trace is wrong; code 2.
    pub fn from_flags<'a>(flags: impl IntoIterator<Item = &'a str>) -> Result<Self, Failure> {
        let flags = Flags::try_parse_from(flags).map_err(anyhow::Error::from)?;
        Self::resolve(&flags.replay)
    }

    /// As [`Plan::from_flags`], sharing traces and step-time models with other
    /// plans.
    ///
    /// # Errors
    /// As [`Plan::from_flags`].
    pub fn from_flags_sharing<'a>(
        flags: impl IntoIterator<Item = &'a str>,
        shared: &Shared,
    ) -> Result<Self, Failure> {
        let flags = Flags::try_parse_from(flags).map_err(anyhow::Error::from)?;
        Self::resolve_sharing(&flags.replay, shared).map_err(Failure::from)
    }

    /// Resolves `replay`'s flags.
    pub(crate) fn resolve(args: &ReplayArgs) -> Result<Self, Failure> {
        Self::resolve_sharing(args, &Shared::default()).map_err(Failure::from)
    }

    fn resolve_sharing(args: &ReplayArgs, shared: &Shared) -> Result<Self> {
        let mut notes = Vec::new();
        let flags = &args.deployment;
        let compat: Compat = flags.compat.parse().context("--compat")?;
        let quirks = compat.quirks();
        check_mode(&flags.replay_mode)?;
        let planner = match &flags.planner_config {
            Some(given) => Some(PlannerPlan::resolve(
                given,
                flags.benchmark_granularity,
                quirks,
                shared,
                &mut notes,
            )?),
            None => None,
        };
        let setting = Setting {
            quirks,
            planner: planner.as_ref().map(PlannerPlan::topology).transpose()?,
            perf_data: flags.perf_data.as_deref(),
            shared,
        };
        let deployment = DeploymentPlan::resolve(flags, setting, &mut notes)?;
        let mut workload = WorkloadPlan::resolve(args, shared, deployment.block_tokens(), quirks)?;
        if planner.is_some() && quirks.has(Quirk::PlannerTraceOnly) {
            ensure!(
                workload.is_trace(),
                "--planner-config needs a trace file in version 1.2.1, not a synthetic load"
            );
            if workload.concurrency().is_some() {
                notes.push(
                    "--replay-concurrency is ignored in planner runs of version 1.2.1".to_owned(),
                );
                workload.open_loop(args.arrivals.arrival_speedup_ratio.unwrap_or(1.0));
            }
        }
        let kv_event_lag =
            SimDuration::try_from_ms(flags.kv_event_lag_ms).context("--kv-event-lag-ms")?;
        Ok(Self {
            compat,
            seed: flags.seed,
            goals: Goals::resolve(&args.goals, planner.as_ref())?,
            routers: RouterPlan::resolve(args, &deployment, quirks)?,
            deployment,
            workload,
            planner,
            no_wall_clock: args.output.no_wall_clock,
            kv_event_lag,
            implementation: Implementation::default(),
            notes,
        })
    }

    /// The same plan with engines that go pass by pass: slower, equal answers.
    #[must_use]
    pub fn literal(self) -> Self {
        Self {
            implementation: Implementation::Literal,
            ..self
        }
    }

    /// The quirks of the reference to keep.
    pub(crate) fn quirks(&self) -> Quirks {
        self.compat.quirks()
    }

    /// Makes this run's engines.
    pub(crate) fn factory(&self) -> Factory {
        let decode = self.deployment.decode.engines(self.quirks());
        let factory = match &self.deployment.prefill {
            None => Factory::aggregated(decode),
            Some(prefill) => Factory::disaggregated(prefill.engines(self.quirks()), decode),
        };
        factory.with(self.implementation)
    }

    /// The routing policy's name.
    pub(crate) fn router_mode(&self) -> &'static str {
        self.routers.describe()
    }

    /// The router in front of the prefill pool, if there is one.
    pub(crate) fn prefill_router(&self) -> Option<Box<dyn Router>> {
        let pool = self.deployment.prefill.as_ref();
        pool.map(|_| self.routers.router(Side::Prefill, self.seed, self.quirks()))
    }

    /// The router in front of the decode pool, or of all workers.
    pub(crate) fn decode_router(&self) -> Box<dyn Router> {
        let side = if self.deployment.prefill.is_some() {
            Side::Decode
        } else {
            Side::Aggregated
        };
        self.routers.router(side, self.seed, self.quirks())
    }

    /// The autoscaler of one run, and what it has to say.
    pub(crate) fn policy(&self, engines: &dyn EngineFactory) -> Result<Option<Policy>, Failure> {
        self.planner
            .as_ref()
            .map(|planner| planner.policy(&self.deployment, engines, self.quirks()))
            .transpose()
            .map_err(Failure::from)
    }

    /// This run's arrivals, from the start.
    pub(crate) fn workload(&self) -> Result<Box<dyn Workload>, Failure> {
        self.workload.start()
    }

    /// How many requests to expect, where that is known.
    pub(crate) fn expected_requests(&self) -> Option<u64> {
        self.workload.expected_requests()
    }

    /// What the run loop is told; loads are sampled only for charts.
    pub(crate) fn spec(&self, sampled: bool) -> RunSpec {
        RunSpec {
            deployment: self.deployment.deployment(),
            concurrency: self.workload.concurrency(),
            quirks: self.quirks(),
            kv_event_lag: self.kv_event_lag,
            load_sampling: (sampled && self.planner.is_none()).then(|| self.workload.sampling()),
        }
    }

    /// Everything resolved, in words.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("workload:    {}\n", self.workload.describe());
        for pool in self.deployment.pools() {
            text += &format!("{:<12} {}\n", format!("{}:", pool.pool), pool.describe());
        }
        text += &format!("router:      {}\n", self.routers.describe());
        if let Some(planner) = &self.planner {
            text += &format!("planner:     {}\n", planner.describe());
        }
        text += &format!("compat:      {}\n", self.compat.name());
        text += &format!("seed:        {}\n", self.seed);
        text
    }

    /// What the JSON report says about the run itself.
    pub(crate) fn provenance(&self) -> Map<String, Value> {
        let pools: BTreeMap<String, String> = self
            .deployment
            .pools()
            .map(|pool| (pool.pool.to_string(), pool.describe()))
            .collect();
        let entries = json!({
            "compat": self.compat.name(),
            "seed": self.seed,
            "version": env!("CARGO_PKG_VERSION"),
            "workload": self.workload.describe(),
            "deployment": pools,
            "router": self.routers.describe(),
            "trace_digest": self.workload.digest(),
            "planner": self.planner.as_ref().map(PlannerPlan::describe),
        });
        match entries {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn check_mode(mode: &str) -> Result<()> {
    ensure!(
        mode == "offline",
        "--replay-mode {mode}: only `offline` is simulated; `online` needs live engines, which this program replaces"
    );
    Ok(())
}
