//! The routers of a run in figures.

use sim_core::{SimDuration, SimTime};

use crate::Distribution;

/// What the routers of a run did.
#[derive(Clone, Debug, Default)]
pub struct RouterSummary {
    /// Requests that the first router of the deployment sent to a worker.
    pub dispatched: u64,
    /// What it knew of caches, if it keeps an index.
    pub hit_rate: Option<HitRate>,
    /// Arrival to dispatch by the first router, ms: time in its queue. Of
    /// dispatched requests, those that did not wait included.
    pub queueing: Distribution,
    /// Requests whose queueing time is above 0.
    pub waited: u64,
    /// The prefill pool of a disaggregated deployment.
    pub prefill: Option<PoolRouting>,
    /// The decode pool; of an aggregated deployment its only pool.
    pub decode: PoolRouting,
}

/// Prefix hits as the router believed in them when it sent requests.
///
/// Belief and truth differ: cache events may lag, and a block may be evicted
/// before the request is admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HitRate {
    /// Requests that an index was asked about.
    pub requests: u64,
    /// Mean share of a prompt's blocks on the chosen worker, 0 to 1.
    pub believed: f64,
    /// Mean share on the worker that had most of them, 0 to 1.
    pub best_available: f64,
}

/// How evenly the requests of a pool were spread over its workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolRouting {
    /// Requests sent to its workers.
    pub dispatched: u64,
    /// Workers that ever took requests.
    pub workers: u32,
    /// Length of a window.
    pub window: SimDuration,
    /// The windows that can be judged, ascending: two workers or more were
    /// ready throughout, and had requests.
    pub spread: Vec<SpreadPoint>,
}

/// Requests in flight per worker in a window of time, each worker's averaged
/// over the window. In flight is from dispatch to the last token of the pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpreadPoint {
    /// The middle of the window.
    pub at: SimTime,
    /// The most loaded worker over the mean of all, 1 or more.
    pub max_over_mean: f64,
    /// Standard deviation over mean, 0 or more.
    pub variation: f64,
}

impl PoolRouting {
    /// Means over the windows of greatest load over mean load and of the
    /// coefficient of variation; `None` if no window can be judged.
    pub fn mean_spread(&self) -> Option<(f64, f64)> {
        let count = self.spread.len() as f64;
        let sum = |of: fn(&SpreadPoint) -> f64| self.spread.iter().map(of).sum::<f64>();
        (count > 0.0).then(|| {
            (
                sum(|point| point.max_over_mean) / count,
                sum(|point| point.variation) / count,
            )
        })
    }
}

impl RouterSummary {
    /// The pools of the deployment with their names in JSON.
    pub(crate) fn pools(&self) -> impl Iterator<Item = (&'static str, &PoolRouting)> {
        let prefill = self.prefill.iter().map(|pool| ("prefill", pool));
        prefill.chain([("decode", &self.decode)])
    }
}
