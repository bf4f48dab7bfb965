//! The selector of a gateway: one decision from loads and overlaps that its
//! caller has projected. Tracks no load and indexes no cache itself.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use sim_core::named_stream;

use super::choice::pick;
use super::cost::CostTerms;
use crate::config::RouterConfig;
use crate::hash_index::WorkerKey;

/// A worker that requests may go to, with its data-parallel ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The worker.
    pub id: u64,
    /// Its first rank.
    pub first_rank: u32,
    /// How many ranks it has from there.
    pub ranks: u16,
}

/// Blocks of a prompt that one rank has, by where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheTiers {
    /// In accelerator memory.
    pub device: u32,
    /// In host memory, beyond those.
    pub host: u32,
    /// On disk or further away, beyond those.
    pub disk: u32,
}

/// What is known of one rank with regard to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WorkerView {
    /// Tokens to be prefilled if the request goes there, its uncached ones
    /// included; `None` for a rank whose load is not known, which then counts
    /// as idle and cold.
    pub prefill_tokens: Option<u64>,
    /// Blocks in use if the request goes there.
    pub decode_blocks: u64,
    /// Cached blocks of the prompt, those of lower tiers by their weight;
    /// finite and at least 0.
    pub overlap_blocks: f64,
    /// Cached tokens of the prompt; `None` for those of `overlap_blocks`.
    pub cached_tokens: Option<u64>,
    /// Blocks by tier. If any rank of a request has them, ranks without count
    /// as having none; if none has, `overlap_blocks` are taken as on device.
    pub tiers: Option<CacheTiers>,
}

/// Settings of one request in place of those of the router.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overrides {
    /// In place of [`RouterConfig::overlap_score_credit`]; 0 to 1.
    pub overlap_score_credit: Option<f64>,
    /// In place of [`RouterConfig::prefill_load_scale`]; at least 0.
    pub prefill_load_scale: Option<f64>,
    /// The old name of the scale, which wins over it; 0 takes the credit too.
    pub overlap_score_weight: Option<f64>,
    /// In place of [`RouterConfig::temperature`]; at least 0.
    pub temperature: Option<f64>,
    /// In place of [`RouterConfig::track_prefill_tokens`].
    pub track_prefill_tokens: Option<bool>,
    /// In place of [`RouterConfig::shared_cache_multiplier`]; 0 to 1.
    pub shared_cache_multiplier: Option<f64>,
}

/// A request to be placed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectionRequest {
    /// Prompt length in tokens, above 0.
    pub prompt_tokens: u32,
    /// What is known of ranks; of others, nothing is.
    pub views: BTreeMap<WorkerKey, WorkerView>,
    /// Blocks of the prompt, counted from 0, that a cache shared by all has.
    pub shared_blocks: Vec<Range<u32>>,
    /// The only rank to be taken.
    pub pinned: Option<WorkerKey>,
    /// The only workers to be taken.
    pub allowed: Option<BTreeSet<u64>>,
    /// Settings of its own.
    pub overrides: Overrides,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// The rank.
    pub worker: WorkerKey,
    /// Its cost, in blocks.
    pub cost: f64,
    /// Blocks of the prompt, a partial one included.
    pub required_blocks: u32,
    /// Blocks of the prompt that it has, by weight.
    pub effective_overlap_blocks: f64,
    /// Tokens of the prompt that it has.
    pub cached_tokens: u64,
}

/// A request that cannot be placed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SelectError {
    /// No worker is there, or none of those that the request may go to.
    #[error("no endpoints available to route work")]
    NoEndpoints,
    /// The request is pinned to a worker that it may not go to.
    #[error("pinned worker {worker_id} is not in allowed worker set")]
    PinnedWorkerNotAllowed {
        /// That worker.
        worker_id: u64,
    },
    /// A prompt without tokens.
    #[error("prompt_tokens: expected at least 1, got 0")]
    EmptyPrompt,
    /// A number out of its range.
    #[error("{field}: expected {expected}, got {got}")]
    Number {
        /// Where it is.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        got: f64,
    },
}

/// Places requests by the costs of ranks. Ties and draws come from a seed, over
/// ranks in the order of (worker, rank).
///
/// ```
/// use std::num::NonZeroU32;
/// use kv_router::{Candidate, RouterConfig, SelectionRequest, Selector, WorkerKey, WorkerView};
///
/// let workers = [0, 1].map(|id| Candidate { id, first_rank: 0, ranks: 1 });
/// let mut request = SelectionRequest { prompt_tokens: 64, ..Default::default() };
/// let view = WorkerView { overlap_blocks: 2.0, ..Default::default() };
/// request.views.insert(WorkerKey::new(1, 0), view);
/// let block = NonZeroU32::new(16).unwrap();
/// let chosen = Selector::new(RouterConfig::default(), block, 0).select(&workers, &request)?;
/// assert_eq!((chosen.worker, chosen.cost), (WorkerKey::new(1, 0), 2.0));
/// # Ok::<(), kv_router::SelectError>(())
/// ```
#[derive(Debug)]
pub struct Selector {
    config: RouterConfig,
    block_tokens: NonZeroU32,
    draws: ChaCha8Rng,
}

impl SelectionRequest {
    /// The most tokens of the prompt that a rank it may go to has, which
    /// [`queue_key`](crate::queue_key) asks for.
    pub fn best_cached_tokens(&self, block_tokens: NonZeroU32) -> u64 {
        let open = self.views.iter().filter(|&(&key, _)| self.may_take(key));
        let cached = open.map(|(_, view)| view.cached(block_tokens));
        cached.max().unwrap_or(0)
    }

    fn may_take(&self, key: WorkerKey) -> bool {
        self.pinned.is_none_or(|pinned| pinned == key)
            && self
                .allowed
                .as_ref()
                .is_none_or(|ids| ids.contains(&key.id))
    }

    /// The shared blocks in order, each in one range.
    fn shared(&self) -> Vec<Range<u32>> {
        let mut ranges = self.shared_blocks.clone();
        ranges.sort_unstable_by_key(|range| range.start);
        let mut end = 0;
        for range in &mut ranges {
            range.start = range.start.max(end);
            end = end.max(range.end);
        }
        ranges
    }
}

impl WorkerView {
    fn cached(&self, block_tokens: NonZeroU32) -> u64 {
        let tokens = || (self.overlap_blocks * f64::from(block_tokens.get())).round() as u64;
        self.cached_tokens.unwrap_or_else(tokens)
    }
}

impl Selector {
    /// A selector of blocks of `block_tokens` tokens.
    pub fn new(config: RouterConfig, block_tokens: NonZeroU32, seed: u64) -> Self {
        Self {
            config,
            block_tokens,
            draws: named_stream(seed, "selector", 0),
        }
    }

    /// The ranks that a request may go to, in order, with their costs in
    /// blocks.
    ///
    /// # Errors
    /// See [`SelectError`].
    pub fn costs(
        &self,
        workers: &[Candidate],
        request: &SelectionRequest,
    ) -> Result<Vec<(WorkerKey, f64)>, SelectError> {
        let config = self.effective(request)?;
        self.costs_under(&config, workers, request)
    }

    /// Places a request.
    ///
    /// # Errors
    /// See [`SelectError`].
    pub fn select(
        &mut self,
        workers: &[Candidate],
        request: &SelectionRequest,
    ) -> Result<Selection, SelectError> {
        let config = self.effective(request)?;
        let costs = self.costs_under(&config, workers, request)?;
        let priced = costs.iter().map(|&(key, cost)| ((key, cost), cost));
        let priced: Vec<_> = priced.collect();
        let (worker, cost) =
            pick(&priced, config.temperature, &mut self.draws).ok_or(SelectError::NoEndpoints)?;
        let view = request.views.get(&worker).copied().unwrap_or_default();
        Ok(Selection {
            worker,
            cost,
            required_blocks: request.prompt_tokens.div_ceil(self.block_tokens.get()),
            effective_overlap_blocks: view.overlap_blocks,
            cached_tokens: view.cached(self.block_tokens),
        })
    }

    fn costs_under(
        &self,
        config: &RouterConfig,
        workers: &[Candidate],
        request: &SelectionRequest,
    ) -> Result<Vec<(WorkerKey, f64)>, SelectError> {
        check(request)?;
        let mut keys: Vec<WorkerKey> = workers
            .iter()
            .flat_map(|worker| {
                let ranks = (0..worker.ranks).map(u32::from);
                ranks
                    .filter_map(|rank| worker.first_rank.checked_add(rank))
                    .map(|rank| WorkerKey::new(worker.id, rank))
            })
            .filter(|&key| request.may_take(key))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Err(SelectError::NoEndpoints);
        }
        let tiered = request.views.values().any(|view| view.tiers.is_some());
        let shared = request.shared();
        let price = |key: WorkerKey| {
            let view = request.views.get(&key).copied().unwrap_or_default();
            self.price(config, request.prompt_tokens, &view, tiered, &shared)
        };
        Ok(keys.into_iter().map(|key| (key, price(key))).collect())
    }

    fn price(
        &self,
        config: &RouterConfig,
        prompt_tokens: u32,
        view: &WorkerView,
        tiered: bool,
        shared: &[Range<u32>],
    ) -> f64 {
        let tiers = view.tiers.unwrap_or_default();
        let device = if tiered {
            f64::from(tiers.device)
        } else {
            view.overlap_blocks
        };
        let beyond = device.round() as u32;
        let pooled = shared
            .iter()
            .map(|range| u64::from(range.end.saturating_sub(range.start.max(beyond))));
        let prefill_tokens = match view.prefill_tokens {
            _ if !config.track_prefill_tokens => 0.0,
            // Credit takes cached blocks off, so they are put back before.
            Some(tokens) => tokens as f64 + view.cached(self.block_tokens) as f64,
            None => f64::from(prompt_tokens),
        };
        CostTerms {
            prefill_tokens,
            block_tokens: f64::from(self.block_tokens.get()),
            credit: config.overlap_score_credit * device
                + config.host_cache_hit_weight * f64::from(tiers.host)
                + config.disk_cache_hit_weight * f64::from(tiers.disk)
                + config.shared_cache_multiplier * pooled.sum::<u64>() as f64,
            prefill_scale: config.prefill_load_scale,
            active_blocks: view.decode_blocks as f64,
        }
        .cost()
    }

    /// The settings with those of the request over them.
    fn effective(&self, request: &SelectionRequest) -> Result<RouterConfig, SelectError> {
        let (mut config, given) = (self.config.clone(), &request.overrides);
        for (field, limit, value, slot) in [
            (
                "overlap_score_credit",
                1.0,
                given.overlap_score_credit,
                &mut config.overlap_score_credit,
            ),
            (
                "prefill_load_scale",
                f64::MAX,
                given.prefill_load_scale,
                &mut config.prefill_load_scale,
            ),
            (
                "router_temperature",
                f64::MAX,
                given.temperature,
                &mut config.temperature,
            ),
            (
                "shared_cache_multiplier",
                1.0,
                given.shared_cache_multiplier,
                &mut config.shared_cache_multiplier,
            ),
        ] {
            if let Some(value) = value {
                *slot = within(field, value, limit)?;
            }
        }
        if let Some(weight) = given.overlap_score_weight {
            config.weigh_overlap(within("overlap_score_weight", weight, f64::MAX)?);
        }
        if let Some(track) = given.track_prefill_tokens {
            config.track_prefill_tokens = track;
        }
        Ok(config)
    }
}

fn check(request: &SelectionRequest) -> Result<(), SelectError> {
    if request.prompt_tokens == 0 {
        return Err(SelectError::EmptyPrompt);
    }
    for view in request.views.values() {
        within("overlap_blocks", view.overlap_blocks, f64::MAX)?;
    }
    match (request.pinned, &request.allowed) {
        (Some(pinned), Some(allowed)) if !allowed.contains(&pinned.id) => {
            Err(SelectError::PinnedWorkerNotAllowed {
                worker_id: pinned.id,
            })
        }
        _ => Ok(()),
    }
}

fn within(field: &'static str, got: f64, limit: f64) -> Result<f64, SelectError> {
    let expected = if limit > 1.0 {
        "a finite number of at least 0"
    } else {
        "0 to 1"
    };
    if (0.0..=limit).contains(&got) {
        Ok(got)
    } else {
        Err(SelectError::Number {
            field,
            expected,
            got,
        })
    }
}
