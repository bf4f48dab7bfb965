//! The prefix-overlap router: to where the prefix lives, unless that worker is
//! too busy.

use std::collections::{BTreeMap, BinaryHeap};

use hashbrown::HashMap;
use ordered_float::OrderedFloat;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxBuildHasher;
use sim_api::{
    Dispatch, Overlap, Prompt, Quirk, Quirks, RequestId, Router, RouterError, RouterEvent,
    RouterNeeds, RoutingRequest, SegmentId, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime, named_stream};

use crate::config::RouterConfig;
use crate::load::WorkerState;
use crate::run_index::RunIndex;
use crate::selection::{CostTerms, pick, queue_key};

/// Budget of workers that have none, in tokens.
const UNLIMITED_BUDGET: f64 = 10_000_000.0;

/// Expected time of a prefill of (new tokens, cached tokens); `None` if unknown.
pub type PrefillEstimator = Box<dyn Fn(u32, u32) -> Option<SimDuration> + Send>;

/// Which workers a router is in front of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Workers that prefill and decode.
    Aggregated,
    /// The prefill pool: blocks of running requests do not count.
    Prefill,
    /// The decode pool: only blocks of running requests count.
    Decode,
}

struct Worker {
    ready: bool,
    budget: f64,
    block_tokens: f64,
    state: WorkerState,
}

/// A request kept back, the first to be sent greatest.
struct Waiting {
    key: OrderedFloat<f64>,
    /// Descending numbers, so that the earliest of equal keys is greatest.
    earlier: u64,
    request: RoutingRequest,
    overlaps: BTreeMap<WorkerId, u32>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.key, self.earlier) == (other.key, other.earlier)
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, self.earlier).cmp(&(other.key, other.earlier))
    }
}

/// Sends a request to the worker with the least cost: prompt blocks to be
/// computed there (its own, less what is cached, and those of requests before
/// it) plus the blocks that would then be in use.
pub struct KvRouter {
    config: RouterConfig,
    side: Side,
    purges: bool,
    workers: BTreeMap<WorkerId, Worker>,
    index: RunIndex,
    /// Requests on workers, with the prompts that count there.
    placed: HashMap<RequestId, (WorkerId, Prompt), FxBuildHasher>,
    queue: BinaryHeap<Waiting>,
    queued: u64,
    estimator: Option<PrefillEstimator>,
    draws: ChaCha8Rng,
}

impl KvRouter {
    /// A router without workers. `estimator` is asked only if the
    /// configuration lets prefill load decay.
    pub fn new(
        config: RouterConfig,
        side: Side,
        seed: u64,
        quirks: Quirks,
        estimator: Option<PrefillEstimator>,
    ) -> Self {
        let config = match side {
            Side::Aggregated => config,
            Side::Prefill => RouterConfig {
                track_active_blocks: false,
                ..config
            },
            Side::Decode => RouterConfig {
                overlap_score_credit: 0.0,
                assume_kv_reuse: false,
                track_prefill_tokens: false,
                prefill_load_decays: false,
                ..config
            },
        };
        Self {
            estimator: estimator.filter(|_| config.prefill_load_decays),
            config,
            side,
            purges: !quirks.has(Quirk::RouterIndexShortcuts),
            workers: BTreeMap::new(),
            index: RunIndex::default(),
            placed: HashMap::default(),
            queue: BinaryHeap::new(),
            queued: 0,
            draws: named_stream(seed, "router tie", side as u64),
        }
    }

    fn overlaps(&self, prompt: &Prompt) -> BTreeMap<WorkerId, u32> {
        if self.side == Side::Decode {
            return BTreeMap::new();
        }
        let ready = self.workers.iter().filter(|(_, worker)| worker.ready);
        ready
            .map(|(&id, _)| (id, self.index.depth(id, prompt.runs())))
            .filter(|&(_, depth)| depth > 0)
            .collect()
    }

    /// Whether every ready worker has more to compute than the threshold.
    fn all_busy(&self, now: SimTime) -> bool {
        let Some(threshold) = self.config.queue_threshold else {
            return false;
        };
        let mut ready = self
            .workers
            .values()
            .filter(|worker| worker.ready)
            .peekable();
        ready.peek().is_some()
            && ready
                .all(|worker| worker.state.prefill_tokens(now) as f64 > threshold * worker.budget)
    }

    /// The cost of a request on a worker that has `overlap` of its blocks.
    fn cost(&self, now: SimTime, worker: &Worker, prompt: &Prompt, overlap: u32) -> f64 {
        let config = &self.config;
        let prefill_tokens = if config.track_prefill_tokens {
            worker.state.prefill_tokens(now) + u64::from(prompt.tokens())
        } else {
            0
        };
        let active_blocks = if config.track_active_blocks {
            worker.state.blocks_with(prompt, config.assume_kv_reuse)
        } else {
            0
        };
        CostTerms {
            prefill_tokens: prefill_tokens as f64,
            block_tokens: worker.block_tokens,
            credit: config.overlap_score_credit * f64::from(overlap),
            prefill_scale: config.prefill_load_scale,
            active_blocks: active_blocks as f64,
        }
        .cost()
    }

    fn choose(
        &mut self,
        now: SimTime,
        prompt: &Prompt,
        overlaps: &BTreeMap<WorkerId, u32>,
    ) -> Option<WorkerId> {
        let costs: Vec<(WorkerId, f64)> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.ready)
            .map(|(&id, worker)| {
                let overlap = overlaps.get(&id).copied().unwrap_or(0);
                (id, self.cost(now, worker, prompt, overlap))
            })
            .collect();
        pick(&costs, self.config.temperature, &mut self.draws)
    }

    fn admit(
        &mut self,
        now: SimTime,
        request: &RoutingRequest,
        overlaps: &BTreeMap<WorkerId, u32>,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let prompt = &request.prompt;
        let worker = self
            .choose(now, prompt, overlaps)
            .ok_or(RouterError::NoWorkers(request.id))?;
        let overlap = overlaps.get(&worker).copied().unwrap_or(0);
        let Some(slot) = self.workers.get_mut(&worker) else {
            return Err(RouterError::NoWorkers(request.id));
        };
        let cached = (f64::from(overlap) * slot.block_tokens) as u64;
        let new = u64::from(prompt.tokens()).saturating_sub(cached) as u32;
        if self.config.track_active_blocks {
            slot.state.add_blocks(prompt, self.config.assume_kv_reuse);
        }
        if self.config.track_prefill_tokens {
            let prefix = prompt.tokens() - new;
            let expected = self.estimator.as_ref().and_then(|ask| ask(new, prefix));
            slot.state
                .add_prefill(now, request.id, u64::from(new), expected);
        }
        let isl_blocks = (f64::from(prompt.tokens()) / slot.block_tokens).ceil() as u32;
        self.placed.insert(request.id, (worker, prompt.clone()));
        out.push(Dispatch {
            request: request.id,
            worker,
            overlap: (self.side != Side::Decode).then(|| Overlap {
                blocks: overlap,
                best_blocks: overlaps.values().copied().max().unwrap_or(0),
                isl_blocks,
            }),
        });
        Ok(())
    }

    fn enqueue(
        &mut self,
        now: SimTime,
        request: RoutingRequest,
        overlaps: BTreeMap<WorkerId, u32>,
    ) {
        let block = self
            .workers
            .values()
            .next()
            .map_or(1.0, |worker| worker.block_tokens);
        let best = overlaps.values().copied().max().unwrap_or(0);
        let key = queue_key(
            self.config.queue_policy,
            now.as_secs(),
            f64::from(request.priority),
            request.prompt.tokens(),
            f64::from(best) * block,
        );
        self.queued += 1;
        self.queue.push(Waiting {
            key: OrderedFloat(key),
            earlier: u64::MAX - self.queued,
            request,
            overlaps,
        });
    }

    fn drain(&mut self, now: SimTime, out: &mut Vec<Dispatch>) -> Result<(), RouterError> {
        while !self.queue.is_empty() && !self.all_busy(now) {
            if !self.workers.values().any(|worker| worker.ready) {
                return Ok(());
            }
            if let Some(next) = self.queue.pop() {
                self.admit(now, &next.request, &next.overlaps, out)?;
            }
        }
        Ok(())
    }

    fn end_prefill(&mut self, now: SimTime, request: RequestId) {
        if let Some((worker, _)) = self.placed.get(&request)
            && let Some(slot) = self.workers.get_mut(worker)
        {
            slot.state.end_prefill(now, request);
        }
    }

    fn free(&mut self, now: SimTime, request: RequestId) {
        self.end_prefill(now, request);
        if let Some((worker, prompt)) = self.placed.remove(&request)
            && self.config.track_active_blocks
            && let Some(slot) = self.workers.get_mut(&worker)
        {
            slot.state
                .remove_blocks(&prompt, self.config.assume_kv_reuse);
        }
    }

    fn ready(&mut self, id: WorkerId, profile: &WorkerProfile) -> Result<(), RouterError> {
        let worker = Worker {
            ready: true,
            budget: profile
                .max_batched_tokens
                .map_or(UNLIMITED_BUDGET, f64::from),
            block_tokens: f64::from(profile.block_tokens.max(1)),
            state: WorkerState::default(),
        };
        if self.workers.insert(id, worker).is_some() {
            return Err(RouterError::Inconsistent(format!(
                "worker {} is ready twice",
                id.0
            )));
        }
        Ok(())
    }

    fn gone(&mut self, id: WorkerId) {
        if self.purges {
            self.index.purge(id);
        }
        self.workers.remove(&id);
    }

    /// Whether no request and no cached block is remembered.
    pub fn is_empty(&self) -> bool {
        self.placed.is_empty()
            && self.queue.is_empty()
            && self.index.is_empty()
            && self.workers.values().all(|worker| worker.state.is_empty())
    }
}

impl Router for KvRouter {
    fn arrive(
        &mut self,
        now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        if self.placed.contains_key(&request.id) {
            return Err(RouterError::Inconsistent(format!(
                "request {} arrives twice",
                request.id.0
            )));
        }
        let overlaps = self.overlaps(&request.prompt);
        if self.all_busy(now) {
            self.enqueue(now, request.clone(), overlaps);
            return Ok(());
        }
        self.admit(now, request, &overlaps, out)
    }

    fn on(
        &mut self,
        now: SimTime,
        event: RouterEvent,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        match event {
            RouterEvent::Kv(worker, change) => {
                // News under way may arrive after their worker is gone.
                if !self.purges || self.workers.contains_key(&worker) {
                    self.index.apply(worker, change);
                }
                return Ok(());
            }
            RouterEvent::WorkerReady(id, profile) => self.ready(id, &profile)?,
            RouterEvent::WorkerDraining(id) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.ready = false;
                }
            }
            RouterEvent::WorkerGone(id) => self.gone(id),
            RouterEvent::PrefillDone(request) => self.end_prefill(now, request),
            RouterEvent::Completed(request) => self.free(now, request),
        }
        self.drain(now, out)
    }

    fn queued(&self) -> usize {
        self.queue.len()
    }

    fn known_segments(&self, out: &mut Vec<SegmentId>) -> bool {
        self.index.add_segments(out);
        true
    }

    fn needs(&self) -> RouterNeeds {
        RouterNeeds {
            kv: self.side != Side::Decode,
            progress: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{ready, request, tell};
    use sim_api::{KvChange, KvRun, SegmentId};

    const RUN: KvRun = KvRun {
        segment: SegmentId(0),
        blocks: 4,
    };

    fn router(config: RouterConfig) -> KvRouter {
        let mut router = KvRouter::new(config, Side::Aggregated, 1, Quirks::NONE, None);
        for id in 0..3 {
            tell(&mut router, ready(id));
        }
        let run = RUN;
        tell(
            &mut router,
            RouterEvent::Kv(WorkerId(1), KvChange::Stored { run }),
        );
        router
    }

    fn places(config: RouterConfig, requests: u32) -> Vec<u32> {
        let mut router = router(config);
        let mut out = Vec::new();
        for id in 0..requests {
            let one = RoutingRequest {
                prompt: Prompt::new(4 * 64, [RUN].into()),
                ..request(id, id)
            };
            router.arrive(SimTime::ZERO, &one, &mut out).unwrap();
            tell(&mut router, RouterEvent::Completed(one.id));
        }
        out.iter().map(|dispatch| dispatch.worker.0).collect()
    }

    #[test]
    fn the_colder_the_draw_the_surer_the_best() {
        let cold = |temperature| RouterConfig {
            temperature,
            ..RouterConfig::default()
        };
        for temperature in [1e-9, 1e-308, f64::MIN_POSITIVE / 8.0] {
            assert_eq!(places(cold(temperature), 40), [1; 40]);
        }
        assert_ne!(places(cold(10.0), 40), [1; 40]);
    }

    #[test]
    fn the_greatest_scale_still_prefers_the_prefix() {
        let config = RouterConfig {
            prefill_load_scale: f64::MAX,
            temperature: 0.1,
            ..RouterConfig::default()
        };
        assert_eq!(places(config, 20), [1; 20]);
    }

    #[test]
    fn late_news_of_a_worker_that_is_gone_leaves_no_entry() {
        let mut router = router(RouterConfig::default());
        tell(&mut router, RouterEvent::WorkerGone(WorkerId(1)));
        let run = RUN;
        tell(
            &mut router,
            RouterEvent::Kv(WorkerId(1), KvChange::Stored { run }),
        );
        assert!(router.is_empty());
    }

    #[test]
    fn a_request_arrives_once() {
        let mut router = router(RouterConfig::default());
        let mut out = Vec::new();
        let one = request(5, 5);
        router.arrive(SimTime::ZERO, &one, &mut out).unwrap();
        let again = router.arrive(SimTime::ZERO, &one, &mut out);
        assert!(matches!(again, Err(RouterError::Inconsistent(why)) if why.contains('5')));
        assert_eq!(out.len(), 1);
    }
}
