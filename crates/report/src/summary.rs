//! What a run came to: the domain form of a report.

use sim_api::{CoverageTally, Rejection, RequestId};
use sim_core::{SimDuration, SimTime};

use crate::planner::{PlannerSummary, ReplicaPoint};
use crate::{Distribution, RouterSummary, SlaReport};

/// How many rejections are kept with their reasons.
pub(crate) const KEPT_REJECTIONS: usize = 5;

/// The metrics of a run.
///
/// A request counts as completed once its last token came. Lengths, reuse and
/// throughput are of completed requests; `requests` counts every arrival.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Requests that arrived.
    pub requests: u64,
    /// Requests that completed.
    pub completed: u64,
    /// Requests that could never run.
    pub rejected: u64,
    /// The first five of them, with the reason.
    pub first_rejections: Vec<(RequestId, Rejection)>,
    /// Requests that were still waiting or running when the run ended.
    pub unfinished: u64,
    /// How often a request lost its KV blocks and had to wait again.
    pub preemptions: u64,
    /// Start of the run to the last token.
    pub duration: SimDuration,
    /// Prompt tokens of completed requests.
    pub input_tokens: u64,
    /// Output tokens of completed requests.
    pub output_tokens: u64,
    /// Prompt tokens found in a cache, by the run's rule of counting.
    pub reused_tokens: u64,
    /// Prompt tokens found in a cache at first admission.
    pub first_admission_reused_tokens: u64,
    /// Arrival to first token, ms.
    pub ttft: Distribution,
    /// First to second token, ms.
    pub ttst: Distribution,
    /// Mean gap of each request with two tokens or more, ms.
    pub tpot: Distribution,
    /// Gaps between consecutive tokens of all requests, ms.
    pub itl: Distribution,
    /// Arrival to last token, ms.
    pub e2e_latency: Distribution,
    /// 1000 / gap of all gaps above zero, tokens per second.
    pub output_token_throughput_per_user: Distribution,
    /// Whether there were too many samples to keep: percentiles are then within
    /// 2^-13 of the exact sample.
    pub approximate: bool,
    /// The prefill pool of a disaggregated deployment.
    pub prefill: Option<PoolUse>,
    /// The decode pool; of an aggregated deployment its only pool.
    pub decode: PoolUse,
    /// GPU-hours by the run's rule of charging.
    pub gpu_hours: f64,
    /// Attainment of the targets, where there are targets.
    pub sla: Option<SlaReport>,
    /// Sizes of the pools, one point a change; each holds until the next.
    pub replicas: Vec<ReplicaPoint>,
    /// When the run ended: its last event.
    pub end: SimTime,
    /// What the routers did, where they had something to decide: more than one
    /// worker, an index or a queue.
    pub router: Option<RouterSummary>,
    /// What the planner did, if there was one.
    pub planner: Option<PlannerSummary>,
    /// Busy time by what its step times rest on.
    pub coverage: CoverageTally,
}

/// What a pool used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolUse {
    /// GPUs of one worker.
    pub gpus_per_worker: u32,
    /// Time of all workers, starting and draining included, in seconds.
    pub worker_seconds: f64,
}

impl PoolUse {
    /// Worker time times GPUs, in hours.
    pub fn gpu_hours(&self) -> f64 {
        self.worker_seconds * f64::from(self.gpus_per_worker) / 3600.0
    }
}

impl Summary {
    /// `count` a second of the run's duration.
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.duration.as_secs().max(1e-9)
    }

    /// Share of prompt tokens found in a cache, 0 to 1.
    pub fn reused_ratio(&self) -> f64 {
        self.ratio(self.reused_tokens)
    }

    /// Share of prompt tokens found in a cache at first admission, 0 to 1.
    pub fn first_admission_reused_ratio(&self) -> f64 {
        self.ratio(self.first_admission_reused_tokens)
    }

    fn ratio(&self, reused: u64) -> f64 {
        if self.input_tokens == 0 {
            return 0.0;
        }
        reused as f64 / self.input_tokens as f64
    }

    /// The distributions by the reference's name of the metric, and whether
    /// they are in milliseconds.
    pub(crate) fn distributions(&self) -> [(&'static str, bool, &Distribution); 6] {
        [
            ("ttft", true, &self.ttft),
            ("ttst", true, &self.ttst),
            ("tpot", true, &self.tpot),
            ("itl", true, &self.itl),
            ("e2e_latency", true, &self.e2e_latency),
            (
                "output_token_throughput_per_user",
                false,
                &self.output_token_throughput_per_user,
            ),
        ]
    }
}
