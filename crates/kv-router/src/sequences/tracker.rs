//! The tracker: requests by id, loads by rank.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_core::{SimDuration, SimTime};

use super::error::SequenceError;
use super::rank::{OwnBlocks, Rank, WHOLE};
use crate::hash_index::{EngineHash, WorkerKey};

/// Full blocks of a prompt, as the tracker counts them.
#[derive(Clone, Copy, Debug)]
pub enum PromptBlocks<'a> {
    /// None: blocks are not tracked.
    Untracked,
    /// Rolling hashes ([`crate::sequence_hashes`]); equal prefixes count once.
    Shared(&'a [EngineHash]),
    /// So many blocks that no other request can share.
    Private(u32),
}

impl<'a> PromptBlocks<'a> {
    fn parts(self) -> (&'a [EngineHash], u64) {
        match self {
            Self::Untracked => (&[], 0),
            Self::Shared(hashes) => (hashes, 0),
            Self::Private(count) => (&[], u64::from(count)),
        }
    }
}

/// Prompt tokens that a worker has to compute for a request.
#[derive(Clone, Copy, Debug)]
pub struct PrefillHint {
    /// Those not cached; 0 is no load.
    pub tokens: u32,
    /// How long they should take; `None` if unknown.
    pub expected: Option<SimDuration>,
}

/// Load of one rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankLoad {
    /// Whose.
    pub worker: WorkerKey,
    /// Distinct blocks in use, weighted and rounded half up.
    pub blocks: u64,
    /// Prompt tokens to be computed.
    pub prefill_tokens: u64,
}

#[derive(Debug)]
struct Request {
    worker: WorkerKey,
    /// Its name in the rank's queue of prompts.
    serial: u64,
    shared: Box<[EngineHash]>,
    own: OwnBlocks,
}

/// Active load of all ranks. A call about a request costs its blocks (and its
/// place among pending prompts); ranks are listed by worker, then rank.
///
/// ```
/// use kv_router::{EngineHash, PrefillHint, PromptBlocks, SequenceTracker, WorkerKey};
/// use sim_core::SimTime;
///
/// let mut tracker = SequenceTracker::default();
/// let (now, worker) = (SimTime::default(), WorkerKey::new(0, 0));
/// let hint = PrefillHint { tokens: 8, expected: None };
/// let blocks = [EngineHash(1), EngineHash(2)];
/// tracker.add(now, "a", worker, PromptBlocks::Shared(&blocks), Some(hint))?;
/// tracker.add(now, "b", worker, PromptBlocks::Shared(&blocks), None)?;
/// let load = tracker.active(now).next().unwrap();
/// assert_eq!((load.blocks, load.prefill_tokens), (2, 8));
/// # Ok::<(), kv_router::SequenceError>(())
/// ```
#[derive(Debug, Default)]
pub struct SequenceTracker {
    ranks: BTreeMap<WorkerKey, Rank>,
    requests: HashMap<Box<str>, Request, FxBuildHasher>,
    serial: u64,
}

impl SequenceTracker {
    /// Makes `workers` the ranks that exist. Those that are gone take their
    /// requests along; those that stay keep their load. Costs all requests if
    /// any rank goes.
    pub fn update_workers(&mut self, workers: impl IntoIterator<Item = WorkerKey>) {
        let workers: BTreeSet<WorkerKey> = workers.into_iter().collect();
        let before = self.ranks.len();
        self.ranks.retain(|worker, _| workers.contains(worker));
        if self.ranks.len() < before {
            self.requests
                .retain(|_, request| workers.contains(&request.worker));
        }
        for worker in workers {
            self.ranks.entry(worker).or_default();
        }
    }

    /// A request is sent to `worker`, which is registered if unknown. Leave
    /// `hint` out where prefill load is not tracked.
    ///
    /// # Errors
    /// [`SequenceError::DuplicateRequest`] if any worker has a request `id`.
    pub fn add(
        &mut self,
        now: SimTime,
        id: &str,
        worker: WorkerKey,
        blocks: PromptBlocks<'_>,
        hint: Option<PrefillHint>,
    ) -> Result<(), SequenceError> {
        if let Some(known) = self.requests.get(id) {
            return Err(SequenceError::DuplicateRequest {
                request: id.to_owned(),
                worker: known.worker,
            });
        }
        let serial = self.serial;
        self.serial += 1;
        let (shared, count) = blocks.parts();
        let rank = self.ranks.entry(worker).or_default();
        rank.hold(shared, count);
        if let Some(hint) = hint {
            let tokens = u64::from(hint.tokens);
            rank.prefills.add(now, serial, tokens, hint.expected);
        }
        let request = Request {
            worker,
            serial,
            shared: shared.into(),
            own: OwnBlocks::whole(count),
        };
        self.requests.insert(id.into(), request);
        Ok(())
    }

    /// The request's prompt is computed; its blocks stay. May be said again.
    ///
    /// # Errors
    /// [`SequenceError::RequestNotFound`].
    pub fn prefill_done(&mut self, now: SimTime, id: &str) -> Result<(), SequenceError> {
        let request = self.requests.get(id).ok_or_else(|| not_found(id))?;
        if let Some(rank) = self.ranks.get_mut(&request.worker) {
            rank.prefills.end(now, request.serial);
        }
        Ok(())
    }

    /// The request is over, computed or not; says whether it was known.
    pub fn free(&mut self, now: SimTime, id: &str) -> bool {
        let Some(request) = self.requests.remove(id) else {
            return false;
        };
        if let Some(rank) = self.ranks.get_mut(&request.worker) {
            rank.prefills.end(now, request.serial);
            rank.release(&request.shared, request.own);
        }
        true
    }

    /// The request has one more block of output. With a `fraction` (0 to 1,
    /// kept to nine decimals) every block that it alone holds weighs so much
    /// from now on; later output weighs 1 until the next fraction.
    ///
    /// # Errors
    /// [`SequenceError::RequestNotFound`], [`SequenceError::InvalidFraction`].
    pub fn add_output_block(
        &mut self,
        id: &str,
        fraction: Option<f64>,
    ) -> Result<(), SequenceError> {
        let request = self.requests.get_mut(id).ok_or_else(|| not_found(id))?;
        if let Some(fraction) = fraction
            && !(0.0..=1.0).contains(&fraction)
        {
            return Err(SequenceError::InvalidFraction {
                request: id.to_owned(),
                fraction,
            });
        }
        if let Some(rank) = self.ranks.get_mut(&request.worker) {
            rank.grow(&mut request.own);
            if let Some(fraction) = fraction {
                let weight = (fraction * f64::from(WHOLE)).round() as u32;
                rank.weigh(&request.shared, &mut request.own, WHOLE - weight);
            }
        }
        Ok(())
    }

    /// Load of every rank.
    pub fn active(&self, now: SimTime) -> impl Iterator<Item = RankLoad> {
        self.ranks.iter().map(move |(&worker, rank)| RankLoad {
            worker,
            blocks: rank.blocks(),
            prefill_tokens: rank.prefill_tokens(now),
        })
    }

    /// Load of every rank if it got a request of `tokens` prompt tokens, of
    /// which it has `cached` already. `tokens` is 0 where prefill load is not
    /// tracked.
    pub fn potential(
        &self,
        now: SimTime,
        blocks: PromptBlocks<'_>,
        tokens: u32,
        cached: impl Fn(WorkerKey) -> u32,
    ) -> impl Iterator<Item = RankLoad> {
        let (shared, own) = blocks.parts();
        let blocks = shared.len() as u64 + own;
        self.ranks.iter().map(move |(&worker, rank)| RankLoad {
            worker,
            blocks: rank.blocks() + blocks - rank.live_prefix(shared),
            prefill_tokens: rank.prefill_tokens(now)
                + u64::from(tokens.saturating_sub(cached(worker))),
        })
    }

    /// Whether no request is known and no rank has any load.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.ranks.values().all(Rank::is_idle)
    }
}

fn not_found(id: &str) -> SequenceError {
    SequenceError::RequestNotFound {
        request: id.to_owned(),
    }
}
