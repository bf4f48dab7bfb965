//! The planner in the loop: its configuration, and what it knows beforehand.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use planner::{
    Bootstrap, BootstrapLimits, EmptyWindows, Mode, OptimizationTarget, PlannerConfig,
    PlannerPolicy, PlannerSetup, TraceRow, TrafficWindow, bootstrap_passes, read_config,
    traffic_windows,
};
use sim_api::{EngineFactory, Pool, Quirk, Quirks, ScalingPolicy};

use super::deployment::{DeploymentPlan, PlannedTopology};
use super::shared::Shared;

/// The policy of one run, and sentences for the user.
pub(crate) type Policy = (Box<dyn ScalingPolicy>, Vec<String>);

/// A planner, resolved.
#[derive(Clone, Debug)]
pub(crate) struct PlannerPlan {
    pub(crate) config: PlannerConfig,
    granularity: u32,
    warm_up: Vec<TrafficWindow>,
}

impl PlannerPlan {
    /// Reads the configuration.
    pub(crate) fn resolve(
        given: &str,
        granularity: u32,
        quirks: Quirks,
        shared: &Shared,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let loaded = read_config(given, quirks).context("--planner-config")?;
        ensure!(
            granularity >= 1,
            "--benchmark-granularity must be at least 1, got 0"
        );
        notes.extend(loaded.warnings);
        let config = loaded.config;
        let warm_up = match &config.load_predictor_warmup_trace {
            Some(_) if quirks.has(Quirk::RefuseLaterFeatures) => Vec::new(),
            Some(path) => warm_up(Path::new(path), &config, shared)
                .context("planner config: field \"load_predictor_warmup_trace\"")?,
            None => Vec::new(),
        };
        Ok(Self {
            config,
            granularity,
            warm_up,
        })
    }

    /// The topology it plans for.
    pub(crate) fn topology(&self) -> Result<PlannedTopology> {
        match self.config.mode {
            Mode::Agg => Ok(PlannedTopology::Aggregated),
            Mode::Disagg => Ok(PlannedTopology::Disaggregated),
            Mode::Prefill | Mode::Decode => Err(anyhow!(
                "planner config: field \"mode\": a simulation scales \"agg\" or \"disagg\" deployments"
            )),
        }
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let config = &self.config;
        let goal = if self.has_sla() {
            format!("TTFT {} ms, ITL {} ms", config.ttft_ms, config.itl_ms)
        } else {
            "static thresholds".to_owned()
        };
        format!(
            "{goal}, throughput scaling {}, load scaling {}",
            interval(
                config.enable_throughput_scaling,
                config.throughput_adjustment_interval_seconds
            ),
            interval(
                config.enable_load_scaling,
                config.load_adjustment_interval_seconds
            ),
        )
    }

    /// Whether it holds TTFT and ITL targets.
    pub(crate) fn has_sla(&self) -> bool {
        self.config.optimization_target == OptimizationTarget::Sla
    }

    /// The policy of one run, and what it has to say.
    pub(crate) fn policy(
        &self,
        deployment: &DeploymentPlan,
        engines: &dyn EngineFactory,
        quirks: Quirks,
    ) -> Result<Policy> {
        let mut notes = Vec::new();
        let prefill = deployment
            .prefill
            .as_ref()
            .map(|_| engines.profile(Pool::Prefill));
        let decode = engines.profile(Pool::Decode);
        let bootstrap = if self.has_sla() {
            let limits = BootstrapLimits::of_profiles(prefill.as_ref().unwrap_or(&decode), &decode);
            self.bootstrap(deployment, &limits, quirks, &mut notes)
        } else {
            None
        };
        let setup = PlannerSetup {
            prefill,
            decode,
            bootstrap,
            warm_up: self.warm_up.clone(),
        };
        let policy = PlannerPolicy::new(&self.config, &setup, quirks)?;
        notes.extend(policy.warnings().iter().map(ToString::to_string));
        Ok((Box::new(policy), notes))
    }

    /// Step times to learn from before the first request.
    fn bootstrap(
        &self,
        deployment: &DeploymentPlan,
        limits: &BootstrapLimits,
        quirks: Quirks,
        notes: &mut Vec<String>,
    ) -> Option<Bootstrap> {
        let prefill_pool = deployment.prefill.as_ref().unwrap_or(&deployment.decode);
        let prefill = prefill_pool.timing.aic();
        // 1.2.1 takes the prefill engine's model for both.
        let decode = if quirks.has(Quirk::RolesAsGiven) {
            prefill
        } else {
            deployment.decode.timing.aic()
        };
        let (Some(prefill), Some(decode)) = (prefill, decode) else {
            notes.push(
                "planner: no aic_backend, aic_system and aic_model_path in the engine arguments: \
                 regressions start empty and learn from the run alone"
                    .to_owned(),
            );
            return None;
        };
        let passes = bootstrap_passes(
            limits,
            self.granularity,
            |isl| prefill.prefill_ms(1, isl, 0),
            |batch, context| decode.decode_ms(batch, context, 2),
        );
        match passes {
            Ok(bootstrap) => Some(bootstrap),
            Err(error) => {
                notes.push(format!("planner: no bootstrap: {error}"));
                None
            }
        }
    }
}

/// Past traffic for the predictors.
fn warm_up(path: &Path, config: &PlannerConfig, shared: &Shared) -> Result<Vec<TrafficWindow>> {
    let trace = shared.history(path)?;
    let rows: Vec<TraceRow> = trace
        .requests()
        .filter_map(|request| {
            Some(TraceRow {
                timestamp_ms: request.timestamp_ms?,
                input_tokens: u64::from(request.input_tokens),
                output_tokens: u64::from(request.output_tokens),
            })
        })
        .collect();
    let interval = u32::try_from(config.throughput_adjustment_interval_seconds)
        .ok()
        .and_then(NonZeroU32::new)
        .context("throughput_adjustment_interval_seconds must be at least 1")?;
    Ok(traffic_windows(rows, interval, EmptyWindows::Keep)?)
}

fn interval(enabled: bool, seconds: i64) -> String {
    if enabled {
        format!("every {seconds} s")
    } else {
        "off".to_owned()
    }
}
