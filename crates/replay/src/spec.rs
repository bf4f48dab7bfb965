//! What a run is made of, and how it can fail.

use sim_api::{EngineError, Quirks, RouterError, ScalingError, WorkloadError};
use sim_core::{DurationError, SimDuration};

/// The workers of a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Deployment {
    /// Workers that compute prompts; `None` in an aggregated deployment.
    pub prefill: Option<PoolSpec>,
    /// Workers that generate tokens.
    pub decode: PoolSpec,
    /// What a hand-off between the pools costs.
    pub transfer: KvTransfer,
}

impl Deployment {
    /// Workers at the start, both pools together.
    pub fn initial_workers(&self) -> u32 {
        self.prefill.map_or(0, |pool| pool.workers) + self.decode.workers
    }
}

/// A pool of equal workers.
#[derive(Clone, Copy, Debug)]
pub struct PoolSpec {
    /// Workers at the start; they are ready at once.
    pub workers: u32,
    /// From a scale-up to a ready worker.
    pub startup: SimDuration,
}

/// Which part of a prompt's KV a hand-off sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransferTiming {
    /// All of it, cached at the destination or not.
    #[default]
    FullPrompt,
    /// What the destination does not hold when the transfer starts.
    DestinationMissing,
}

/// The time a KV hand-off takes: tokens sent times nanoseconds a token.
#[derive(Clone, Copy, Debug)]
pub struct KvTransfer {
    ns_per_token: f64,
    timing: TransferTiming,
}

impl KvTransfer {
    /// Hand-offs that take no time.
    pub fn free() -> Self {
        Self {
            ns_per_token: 0.0,
            timing: TransferTiming::FullPrompt,
        }
    }

    /// Hand-offs of `bytes_per_token` over a link of `bandwidth_gb_per_s`
    /// (10^9 bytes a second). If either is absent or zero they take no time.
    pub fn new(
        bytes_per_token: Option<u64>,
        bandwidth_gb_per_s: Option<f64>,
        timing: TransferTiming,
    ) -> Self {
        let ns_per_token = match (bytes_per_token, bandwidth_gb_per_s) {
            // Bytes over (10^9 bytes a second) are nanoseconds.
            (Some(bytes), Some(bandwidth)) if bandwidth > 0.0 => bytes as f64 / bandwidth,
            _ => 0.0,
        };
        Self {
            ns_per_token,
            timing,
        }
    }

    /// Which part is sent.
    pub fn timing(&self) -> TransferTiming {
        self.timing
    }

    /// Whether hand-offs take no time.
    pub fn is_free(&self) -> bool {
        self.ns_per_token <= 0.0
    }

    pub(crate) fn delay(&self, tokens: u32) -> Result<SimDuration, DurationError> {
        SimDuration::try_from_ms(f64::from(tokens) * self.ns_per_token / 1e6)
    }
}

/// Everything about a run that is not a part.
#[derive(Clone, Copy, Debug)]
pub struct RunSpec {
    /// The workers.
    pub deployment: Deployment,
    /// Closed loop: at most this many requests in flight.
    pub concurrency: Option<usize>,
    /// Which behaviours of the reference to keep.
    pub quirks: Quirks,
    /// Delay from a change of a cache to the router's knowledge of it.
    pub kv_event_lag: SimDuration,
    /// How often observers are told the load of every worker; more and more
    /// rarely once a run has lasted a thousand times as long.
    pub load_sampling: Option<SimDuration>,
}

/// A run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The workload could not be read on.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// An engine had no step time.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The router lost track.
    #[error("router: {0}")]
    Router(#[from] RouterError),
    /// The planner could not decide.
    #[error(transparent)]
    Scaling(#[from] ScalingError),
    /// A KV transfer of absurd length.
    #[error("KV transfer time: {0}")]
    Transfer(#[from] DurationError),
    /// A pool cannot have no workers.
    #[error("the planner scaled the {pool} pool to 0 workers; nothing would be left to serve")]
    ScaledToZero {
        /// Which pool.
        pool: sim_api::Pool,
    },
}
