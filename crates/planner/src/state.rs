//! The planner as a state machine: observation in, decision and reasons out.
//!
//! It reads no clock and starts nothing, so a live controller can drive it as well as a simulation.

use sim_api::{Pool, Quirk, Quirks, Targets};

use crate::accept_length::AcceptLength;
use crate::capabilities::Capabilities;
use crate::config::{Mode, PlannerConfig};
use crate::diagnostics::Diagnostics;
use crate::pass::Pass;
use crate::predict::TrafficWindow;
use crate::regression::{AggModel, DecodeModel, PrefillModel};
use crate::rules::{PlannerError, Rules};
use crate::schedule::{Schedule, ScheduledTick};
use crate::throughput::{SeriesState, TrafficSeries};
use crate::tick::{Effects, ObservedTraffic, TickInput};

/// The models of a deployment. Those that its mode does not use stay empty.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    pub(crate) prefill: PrefillModel,
    pub(crate) decode: DecodeModel,
    pub(crate) agg: AggModel,
}

/// The planner.
#[derive(Debug)]
pub struct Planner {
    pub(crate) rules: Rules,
    pub(crate) quirks: Quirks,
    pub(crate) capabilities: Capabilities,
    pub(crate) models: Models,
    pub(crate) series: TrafficSeries,
    pub(crate) accept_length: AcceptLength,
    /// The hit rate that decisions use; unknown until one was seen.
    pub(crate) hit_rate: Option<f64>,
    /// Replicas the predicted traffic needs: prefill, decode.
    pub(crate) bounds: [u32; 2],
    /// Ready replicas: prefill, decode.
    pub(crate) ready: [u32; 2],
    /// Wanted replicas: prefill, decode.
    pub(crate) expected: [Option<u32>; 2],
    pub(crate) diagnostics: Diagnostics,
    schedule: Schedule,
}

impl Planner {
    /// A planner whose clock stands at `start_s` seconds.
    ///
    /// # Errors
    /// A field of the configuration that makes no planner: an unknown predictor, an interval of 0, no samples.
    pub fn new(
        config: &PlannerConfig,
        capabilities: Capabilities,
        quirks: Quirks,
        start_s: f64,
    ) -> Result<Self, PlannerError> {
        let rules = Rules::new(config)?;
        let throughput_interval = rules
            .throughput_enabled
            .then_some(rules.throughput_interval_s);
        Ok(Self {
            models: Models {
                prefill: PrefillModel::new(&rules.models),
                decode: DecodeModel::new(&rules.models),
                agg: AggModel::new(&rules.models),
            },
            series: TrafficSeries::new(&rules.predictor),
            accept_length: AcceptLength::new(&capabilities.decode, rules.draft_tokens),
            hit_rate: None,
            bounds: [1, 1],
            ready: [0, 0],
            expected: [None, None],
            diagnostics: Diagnostics::with_bounds([1, 1]),
            schedule: Schedule::new(start_s, rules.load_interval_s, throughput_interval),
            rules,
            quirks,
            capabilities,
        })
    }

    /// When to ask first, or next.
    #[must_use]
    pub fn next_tick(&self) -> ScheduledTick {
        self.schedule.next()
    }

    /// The engines changed.
    pub fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
        self.accept_length
            .set_engines(&capabilities.decode, self.rules.draft_tokens);
    }

    /// Teaches the model of a pool a pass that no tick shows: a benchmark, or all but the last pass of a worker.
    ///
    /// An aggregated deployment is the decode pool. Without latency targets, or for a pool that the mode does not
    /// scale, nothing is learned.
    pub fn learn_pass(&mut self, pool: Pool, pass: &Pass) {
        if !self.rules.is_sla() {
            return;
        }
        match (pool, self.rules.mode) {
            (Pool::Decode, Mode::Agg) => self.models.agg.observe(pass),
            (Pool::Decode, Mode::Disagg | Mode::Decode) => self.models.decode.observe(pass),
            (Pool::Prefill, Mode::Disagg | Mode::Prefill) => self.models.prefill.observe(pass),
            (Pool::Decode, Mode::Prefill) | (Pool::Prefill, Mode::Agg | Mode::Decode) => {}
        }
    }

    /// Teaches the model of a pool passes in order; see [`learn_pass`](Self::learn_pass).
    pub fn learn(&mut self, pool: Pool, passes: impl IntoIterator<Item = Pass>) {
        passes
            .into_iter()
            .for_each(|pass| self.learn_pass(pool, &pass));
    }

    /// Feeds the predictors past traffic, one window per throughput interval.
    pub fn warm_up(&mut self, windows: &[TrafficWindow]) {
        self.series.warm_up(windows);
    }

    /// Decides what `tick` asks for.
    ///
    /// Throughput comes first, so that load decisions of the same tick see its fresh lower bound; a load decision
    /// wins over one of throughput.
    pub fn on_tick(&mut self, tick: &ScheduledTick, input: &TickInput<'_>) -> Effects {
        self.diagnostics = Diagnostics::with_bounds(self.bounds);
        self.take_stock(input);
        let mut by_throughput = None;
        if tick.run_throughput {
            if let Some(traffic) = &input.traffic {
                self.observe_traffic(traffic);
                by_throughput = self.decide_by_throughput(traffic.duration_s);
            }
            self.schedule.throughput_done(input.now_s);
        }
        let mut by_load = None;
        if tick.run_load {
            if let Some(traffic) = input.traffic.as_ref().filter(|_| !tick.run_throughput) {
                self.observe_traffic(traffic);
            }
            self.learn(Pool::Prefill, input.prefill.iter().map(|seen| seen.pass));
            self.learn(Pool::Decode, input.decode.iter().map(|seen| seen.pass));
            by_load = self.decide_by_load(input);
            self.schedule.load_done(input.now_s);
        }
        [
            self.diagnostics.lower_bound_prefill,
            self.diagnostics.lower_bound_decode,
        ] = self.bounds;
        Effects {
            scale_to: by_load.or(by_throughput),
            next_tick: self.schedule.next(),
            diagnostics: self.diagnostics,
        }
    }

    /// Pass times of the prefill pool.
    #[must_use]
    pub fn prefill_model(&self) -> &PrefillModel {
        &self.models.prefill
    }

    /// Pass times of the decode pool.
    #[must_use]
    pub fn decode_model(&self) -> &DecodeModel {
        &self.models.decode
    }

    /// Pass times of an aggregated pool.
    #[must_use]
    pub fn agg_model(&self) -> &AggModel {
        &self.models.agg
    }

    /// The prefix-cache hit rate that decisions use, once one is known.
    #[must_use]
    pub fn kv_hit_rate(&self) -> Option<f64> {
        self.hit_rate
    }

    /// The traffic series and their predictors.
    #[must_use]
    pub fn series(&self) -> [SeriesState; 4] {
        self.series.states()
    }

    fn take_stock(&mut self, input: &TickInput<'_>) {
        let Some(workers) = &input.workers else {
            return;
        };
        self.ready[0] = workers.ready_prefill.unwrap_or(self.ready[0]);
        self.ready[1] = workers.ready_decode.unwrap_or(self.ready[1]);
        self.expected = [workers.expected_prefill, workers.expected_decode];
    }

    fn observe_traffic(&mut self, traffic: &ObservedTraffic) {
        let predicted_rate =
            self.rules.throughput_enabled && self.quirks.has(Quirk::PredictedHitRate);
        if self.rules.throughput_enabled {
            self.series
                .observe(traffic, !self.quirks.has(Quirk::IdleTrafficFeedsZero));
        }
        if let Some(rate) = traffic.kv_hit_rate.filter(|rate| !rate.is_nan()) {
            if predicted_rate {
                self.series.observe_hit_rate(rate);
            } else {
                self.hit_rate = Some(rate);
            }
        }
        if !self.quirks.has(Quirk::RefuseLaterFeatures) {
            self.accept_length.observe(traffic.accept_length);
        }
    }

    /// A target for the only pool of the mode.
    pub(crate) fn single_target(&self, replicas: u32) -> Targets {
        match self.rules.mode {
            Mode::Prefill => Targets {
                prefill: Some(replicas),
                decode: None,
            },
            _ => Targets {
                prefill: None,
                decode: Some(replicas),
            },
        }
    }

    /// The only pool's replicas within the budget; unbounded if its GPUs are unknown.
    pub(crate) fn budget_single(&self, wanted: u32) -> u32 {
        let engine = match self.rules.mode {
            Mode::Prefill => &self.capabilities.prefill,
            _ => &self.capabilities.decode,
        };
        let Some(gpus) = engine.num_gpu else {
            return wanted;
        };
        let budget = &self.rules.budget;
        let replicas = budget.clamp_one(wanted.max(self.rules.min_endpoint), gpus);
        if self.quirks.has(Quirk::BudgetCountsReplicas) {
            return replicas;
        }
        budget.below_ceiling(replicas, gpus)
    }

    /// Both pools' replicas within the budget; unbounded if a pool's GPUs are unknown.
    pub(crate) fn budget_pair(&self, wanted: [u32; 2]) -> [u32; 2] {
        match (
            self.capabilities.prefill.num_gpu,
            self.capabilities.decode.num_gpu,
        ) {
            (Some(prefill), Some(decode)) => {
                self.rules.budget.clamp_pair(wanted, [prefill, decode])
            }
            _ => wanted,
        }
    }
}
