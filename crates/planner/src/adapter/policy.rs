//! The planner behind the seam of a simulation.

use std::borrow::Cow;

use sim_api::{
    Decision, Observation, PassRow, Pool, PoolObservation, Quirk, Quirks, ScalingError,
    ScalingPolicy, TickNeeds, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

use super::cache::{PassCache, Prune};
use super::gpu_hours::GpuHours;
use super::record::{DecisionView, TickView};
use super::targets::PendingTargets;
use super::traffic::TrafficMeans;
use crate::bootstrap::Bootstrap;
use crate::capabilities::{Capabilities, EngineCapabilities};
use crate::config::{Mode, PlannerConfig};
use crate::pass::Pass;
use crate::predict::TrafficWindow;
use crate::rules::PlannerError;
use crate::schedule::ScheduledTick;
use crate::state::Planner;
use crate::tick::{TickInput, WorkerCounts};

/// What the planner of a simulation starts with.
#[derive(Clone, Debug)]
pub struct PlannerSetup {
    /// The prefill engines of a disaggregated deployment.
    pub prefill: Option<WorkerProfile>,
    /// The decode engines, or those of an aggregated deployment.
    pub decode: WorkerProfile,
    /// Passes to learn first.
    pub bootstrap: Option<Bootstrap>,
    /// Past traffic for the predictors, one window per throughput interval.
    pub warm_up: Vec<TrafficWindow>,
}

/// Why a configuration cannot drive a simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No planner.
    #[error(transparent)]
    Planner(#[from] PlannerError),
    /// A mode of live planners.
    #[error(
        "planner config: field \"mode\": a simulation scales \"agg\" or \"disagg\", found {0:?}"
    )]
    Mode(&'static str),
    /// The deployment has no prefill pool.
    #[error("planner config: mode \"disagg\" needs a prefill and a decode pool")]
    NoPrefillPool,
}

/// The planner as a scaling policy.
#[derive(Debug)]
pub struct PlannerPolicy {
    planner: Planner,
    quirks: Quirks,
    tick: ScheduledTick,
    ticks: u64,
    caches: [PassCache; 2],
    pending: PendingTargets,
    gpu_hours: GpuHours,
    /// GPUs charged per prefill and decode worker.
    gpus: [f64; 2],
    observed: Option<TrafficMeans>,
    warnings: Vec<String>,
}

impl PlannerPolicy {
    /// A policy at time 0.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub fn new(
        config: &PlannerConfig,
        setup: &PlannerSetup,
        quirks: Quirks,
    ) -> Result<Self, PolicyError> {
        let prefill = match (config.mode, setup.prefill) {
            (Mode::Agg, _) => None,
            (Mode::Disagg, Some(profile)) => Some(profile),
            (Mode::Disagg, None) => return Err(PolicyError::NoPrefillPool),
            (mode, _) => return Err(PolicyError::Mode(mode.name())),
        };
        let capabilities = Capabilities {
            prefill: prefill
                .as_ref()
                .map_or_else(EngineCapabilities::default, |of| engine(of, quirks)),
            decode: engine(&setup.decode, quirks),
        };
        let mut planner = Planner::new(config, capabilities, quirks, 0.0)?;
        if let Some(bootstrap) = &setup.bootstrap {
            teach(&mut planner, config.mode, bootstrap);
        }
        if !quirks.has(Quirk::RefuseLaterFeatures) {
            planner.warm_up(&setup.warm_up);
        }
        let mut warnings = Vec::new();
        let mut charged = |field: &str, configured: Option<i64>, profile: &WorkerProfile| {
            match configured {
                Some(gpus) => gpus as f64,
                None if quirks.has(Quirk::NullGpusChargeNothing) => 0.0,
                None => {
                    let gpus = profile.gpus;
                    warnings.push(format!("{field} is not set: GPU-hours count {gpus} GPU(s) per worker, as the engines use"));
                    f64::from(gpus)
                }
            }
        };
        let gpus = [
            prefill.map_or(0.0, |of| {
                charged("prefill_engine_num_gpu", config.prefill_engine_num_gpu, &of)
            }),
            charged(
                "decode_engine_num_gpu",
                config.decode_engine_num_gpu,
                &setup.decode,
            ),
        ];
        Ok(Self {
            tick: planner.next_tick(),
            planner,
            quirks,
            ticks: 0,
            caches: [PassCache::default(), PassCache::default()],
            pending: PendingTargets::default(),
            gpu_hours: GpuHours::default(),
            gpus,
            observed: None,
            warnings,
        })
    }

    /// Sentences for the user.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The state machine.
    #[must_use]
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// The last passes of the prefill and of the decode workers.
    #[must_use]
    pub fn caches(&self) -> &[PassCache; 2] {
        &self.caches
    }

    /// Replicas expected of a side (0 prefill, 1 decode) with `ready` ready.
    #[must_use]
    pub fn expected(&self, side: usize, ready: u32) -> u32 {
        self.pending.expected(side, ready)
    }

    /// Takes the passes since the last tick into the caches and the models.
    fn take_passes(&mut self, pools: [Option<&PoolObservation>; 2]) {
        let by_id = self.quirks.has(Quirk::PassCacheByHighestId);
        if !self.tick.need_passes && by_id {
            return;
        }
        let planner = &mut self.planner;
        for ((side, pool), cache) in [Pool::Prefill, Pool::Decode]
            .into_iter()
            .zip(pools)
            .zip(&mut self.caches)
        {
            let Some(pool) = pool else { continue };
            let rows = in_order(&pool.passes);
            let passes = rows.iter().map(|row| (row.worker, Pass::of_row(row)));
            let ready = sorted(&pool.ready);
            let prune = if by_id {
                Prune::ToCount(ready.len())
            } else {
                Prune::ToReady(&ready)
            };
            cache.update(passes, prune, |pass| planner.learn_pass(side, pass));
            if !self.tick.need_passes {
                // No load decision will show these to the models.
                planner.learn(side, cache.passes().iter().map(|seen| seen.pass));
            }
        }
    }

    fn take_traffic(&mut self, observation: &Observation) -> Option<TrafficMeans> {
        let traffic = observation
            .traffic
            .as_ref()
            .filter(|_| self.tick.need_traffic)?;
        if traffic.duration.is_zero() {
            return None;
        }
        let mut means = TrafficMeans::of(traffic);
        if self.quirks.has(Quirk::PredictedHitRate) {
            means.kv_hit_rate = Some(means.kv_hit_rate.unwrap_or(0.0));
        }
        self.observed = Some(means);
        Some(means)
    }

    /// GPUs that are charged now.
    fn held_gpus(&self, pools: [Option<&PoolObservation>; 2]) -> f64 {
        let ready_only = self.quirks.has(Quirk::GpuHoursAtTicks);
        let held = |pool: &PoolObservation| {
            let others = if ready_only {
                0
            } else {
                pool.starting.len() + pool.draining.len()
            };
            (pool.ready.len() + others) as f64
        };
        pools
            .iter()
            .zip(self.gpus)
            .map(|(pool, gpus)| pool.map_or(0.0, held) * gpus)
            .sum()
    }
}

/// An engine's capabilities as the budget and the models see them.
fn engine(profile: &WorkerProfile, quirks: Quirks) -> EngineCapabilities {
    let mut engine = EngineCapabilities::of_profile(profile);
    if quirks.has(Quirk::BudgetCountsReplicas) {
        engine.num_gpu = Some(1);
    }
    if quirks.has(Quirk::RefuseLaterFeatures) {
        engine.draft_tokens = None;
    }
    engine
}

fn teach(planner: &mut Planner, mode: Mode, bootstrap: &Bootstrap) {
    let (prefill, decode) = (
        bootstrap.prefill.iter().copied(),
        bootstrap.decode.iter().copied(),
    );
    match mode {
        Mode::Agg => planner.learn(Pool::Decode, prefill.chain(decode)),
        // Half a model would scale one pool against the other's ignorance.
        _ if bootstrap.prefill.is_empty() || bootstrap.decode.is_empty() => {}
        _ => {
            planner.learn(Pool::Prefill, prefill);
            planner.learn(Pool::Decode, decode);
        }
    }
}

/// Passes by start, then worker: the models depend on the order, so it must not depend on the caller's.
fn in_order(rows: &[PassRow]) -> Cow<'_, [PassRow]> {
    let key = |row: &PassRow| (row.start, row.worker, row.duration);
    if rows.is_sorted_by_key(key) {
        return Cow::Borrowed(rows);
    }
    let mut rows = rows.to_vec();
    rows.sort_by_key(key);
    Cow::Owned(rows)
}

fn sorted(workers: &[WorkerId]) -> Vec<WorkerId> {
    let mut workers = workers.to_vec();
    workers.sort_unstable();
    workers
}

fn count(pool: &PoolObservation) -> u32 {
    u32::try_from(pool.ready.len()).unwrap_or(u32::MAX)
}

fn instant(seconds: f64) -> SimTime {
    SimDuration::try_from_secs(seconds)
        .map_or(SimTime::MAX, |span| SimTime::ZERO.saturating_add(span))
}

impl ScalingPolicy for PlannerPolicy {
    fn next_tick(&self) -> SimTime {
        instant(self.tick.at_s)
    }

    fn needs(&self) -> TickNeeds {
        TickNeeds {
            traffic: self.tick.need_traffic,
        }
    }

    fn on_tick(&mut self, observation: &Observation) -> Result<Decision, ScalingError> {
        let now_s = observation.now.as_secs();
        let prefill = observation
            .prefill
            .as_ref()
            .filter(|_| self.planner.rules.mode == Mode::Disagg);
        let pools = [prefill, Some(&observation.decode)];
        let ready = [prefill.map_or(0, count), count(&observation.decode)];
        self.take_passes(pools);
        let traffic = self.take_traffic(observation);
        let effects = self.planner.on_tick(
            &self.tick,
            &TickInput {
                now_s,
                traffic: traffic.map(|means| means.observed()),
                workers: Some(WorkerCounts {
                    ready_prefill: prefill.map(|_| ready[0]),
                    ready_decode: Some(ready[1]),
                    expected_prefill: prefill.map(|_| self.pending.expected(0, ready[0])),
                    expected_decode: Some(self.pending.expected(1, ready[1])),
                }),
                prefill: self.caches[0].passes(),
                decode: self.caches[1].passes(),
            },
        );
        let gpu_hours = self.gpu_hours.charge(now_s, self.held_gpus(pools));
        let view = TickView {
            tick: self.ticks,
            due: self.next_tick(),
            at: observation.now,
            prefill_ready: prefill.map(|_| ready[0]),
            decode_ready: ready[1],
            observed: self.observed.as_ref(),
            throughput_interval_s: self.planner.rules.throughput_interval_s,
            gpu_hours,
            prefill: self.caches[0].passes(),
            decode: self.caches[1].passes(),
        };
        let record = view.record(&DecisionView {
            diagnostics: &effects.diagnostics,
            targets: effects.scale_to,
        });
        self.ticks += 1;
        self.tick = effects.next_tick;
        self.pending.clear_reached(ready);
        let applied = effects.scale_to.and_then(|decision| {
            let allow_zero = self.quirks.has(Quirk::ScaleToZeroFails);
            self.pending.apply(
                decision,
                ready,
                self.planner.rules.mode,
                observation.now,
                allow_zero,
            )
        });
        let (targets, events) = applied.map_or((None, Vec::new()), |applied| {
            (Some(applied.targets), applied.events)
        });
        Ok(Decision {
            targets,
            events,
            record,
        })
    }
}
