//! The seam to autoscalers.

use std::collections::BTreeMap;

use sim_core::{SimDuration, SimTime};

use crate::{PassRecord, Pool, WorkerId};

/// What a policy wants to see at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickNeeds {
    /// Whether the traffic window is drained into the observation.
    pub traffic: bool,
}

/// One pass of one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassRow {
    /// Which worker.
    pub worker: WorkerId,
    /// Start of the pass.
    pub start: SimTime,
    /// Its length.
    pub duration: SimDuration,
    /// What it did.
    pub record: PassRecord,
}

/// A pool at a tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolObservation {
    /// Workers that take requests, ascending.
    pub ready: Vec<WorkerId>,
    /// Workers that start up, ascending.
    pub starting: Vec<WorkerId>,
    /// Workers that finish what they have, ascending.
    pub draining: Vec<WorkerId>,
    /// Passes started since the last tick, by (start, worker).
    pub passes: Vec<PassRow>,
}

/// What users did in a window: integer sums, so that the order of completions
/// does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Length of the window.
    pub duration: SimDuration,
    /// Requests completed.
    pub requests: u64,
    /// Their prompt tokens.
    pub input_tokens: u64,
    /// Their output tokens.
    pub output_tokens: u64,
    /// Completed requests with a TTFT above 0, and the sum of those.
    pub ttft: (u64, SimDuration),
    /// Mean gap between tokens of each completed request that has one above 0:
    /// how many, and the sum in milliseconds.
    pub itl_ms: (u64, f64),
    /// Router admissions with an index: how many, and the sum of
    /// overlap blocks / prompt blocks.
    pub hit_rate: (u64, f64),
    /// Decode request-forwards, and the tokens they made visible.
    pub decode_forwards: (u64, u64),
}

/// Everything a policy is told at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The policy's clock.
    pub now: SimTime,
    /// The prefill pool, if the deployment has one.
    pub prefill: Option<PoolObservation>,
    /// The decode pool; of an aggregated deployment its only pool.
    pub decode: PoolObservation,
    /// The traffic since it was last drained, if asked for.
    pub traffic: Option<Traffic>,
}

/// Wanted numbers of workers; `None` leaves a pool alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Prefill workers.
    pub prefill: Option<u32>,
    /// Decode workers.
    pub decode: Option<u32>,
}

/// A change of a pool's size, as it was applied.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalingEvent {
    /// When.
    pub at: SimTime,
    /// The reference's name of the pool: `agg`, `prefill` or `decode`.
    pub component: &'static str,
    /// Workers before.
    pub from: u32,
    /// Workers wanted.
    pub to: u32,
    /// `scale_up` or `scale_down`, and in detail why.
    pub reason: String,
}

/// What a policy decided.
#[derive(Clone, Debug)]
pub struct Decision {
    /// New numbers of workers, if any.
    pub targets: Option<Targets>,
    /// The events to record if the targets are applied.
    pub events: Vec<ScalingEvent>,
    /// For logs and reports.
    pub record: TickRecord,
}

/// One tick, for logs and reports. Values that were not set are absent.
///
/// Names in `values` that reports know: `observed_{num_req, duration_s, rps, isl, osl, ttft_ms, itl_ms,
/// kv_hit_rate, accept_length}` of the last traffic window, `predicted_{num_req, rps, isl, osl, kv_hit_rate}`,
/// `estimated_{ttft_ms, itl_ms}` (the worst worker), `engine_rps_{prefill, decode}`, `lower_bound_{prefill,
/// decode}` in replicas, and `gpu_hours` so far. Names in `reasons`: `load` and `throughput`, for disaggregated
/// deployments also `load_prefill`, `load_decode`, `throughput_prefill` and `throughput_decode`.
#[derive(Clone, Debug, PartialEq)]
pub struct TickRecord {
    /// Number from 0.
    pub tick: u64,
    /// When it was due.
    pub due: SimTime,
    /// The policy's clock.
    pub at: SimTime,
    /// Ready workers.
    pub prefill_ready: Option<u32>,
    /// Ready workers.
    pub decode_ready: u32,
    /// Numbers by name: observed and predicted traffic, estimates, capacities,
    /// bounds, GPU-hours. Units end the name.
    pub values: BTreeMap<&'static str, f64>,
    /// Reasons by decision, in the reference's words.
    pub reasons: BTreeMap<&'static str, String>,
    /// Per worker: queued prefill tokens, queued and running decode KV tokens.
    pub engines: Vec<EngineLoadRecord>,
    /// The decision.
    pub targets: Option<Targets>,
}

/// A worker's load as the policy saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLoadRecord {
    /// Its pool.
    pub pool: Pool,
    /// Its number.
    pub worker: WorkerId,
    /// Prompt tokens that wait.
    pub queued_prefill_tokens: u64,
    /// KV tokens of preempted requests that wait.
    pub queued_decode_kv_tokens: u64,
    /// KV tokens of running requests.
    pub inflight_decode_kv_tokens: u64,
}

/// An autoscaler.
pub trait ScalingPolicy: Send {
    /// When it wants to be asked next.
    fn next_tick(&self) -> SimTime;

    /// What it wants to see then.
    fn needs(&self) -> TickNeeds;

    /// Decides.
    ///
    /// # Errors
    /// It cannot go on.
    fn on_tick(&mut self, observation: &Observation) -> Result<Decision, ScalingError>;
}

/// An autoscaler cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("planner: {0}")]
pub struct ScalingError(pub String);
