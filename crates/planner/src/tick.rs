//! What the state machine is told at a tick, and what it answers.

use sim_api::Targets;

use crate::diagnostics::Diagnostics;
use crate::pass::WorkerPass;
use crate::schedule::ScheduledTick;

/// What users did in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ObservedTraffic {
    /// Length of the window in seconds.
    pub duration_s: f64,
    /// Requests.
    pub num_req: f64,
    /// Mean prompt tokens.
    pub isl: f64,
    /// Mean output tokens.
    pub osl: f64,
    /// Mean prefix-cache hit rate at admission, if known.
    pub kv_hit_rate: Option<f64>,
    /// Visible tokens per decode step and request, if known.
    pub accept_length: Option<f64>,
}

/// Replicas that are ready, and that are wanted by a decision not yet carried out. Unknown is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerCounts {
    /// Prefill replicas that take requests.
    pub ready_prefill: Option<u32>,
    /// Decode replicas that take requests.
    pub ready_decode: Option<u32>,
    /// Prefill replicas the last decision asked for.
    pub expected_prefill: Option<u32>,
    /// Decode replicas the last decision asked for.
    pub expected_decode: Option<u32>,
}

/// An observation.
#[derive(Clone, Copy, Debug, Default)]
pub struct TickInput<'a> {
    /// The clock in seconds.
    pub now_s: f64,
    /// The traffic since it was last given, if the tick asked for it.
    pub traffic: Option<ObservedTraffic>,
    /// The replicas; none leaves the ready counts as they were.
    pub workers: Option<WorkerCounts>,
    /// The last pass of each prefill worker and rank; empty if there is none.
    pub prefill: &'a [WorkerPass],
    /// The last pass of each decode worker and rank; of an aggregated deployment of all workers.
    pub decode: &'a [WorkerPass],
}

/// The answer to an observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effects {
    /// The decision, if there is one; a pool without a number stays as it is.
    pub scale_to: Option<Targets>,
    /// When to ask again.
    pub next_tick: ScheduledTick,
    /// How it came about.
    pub diagnostics: Diagnostics,
}
