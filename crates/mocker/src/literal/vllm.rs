//! The literal engine's state and its pass, step by step.

use std::collections::VecDeque;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{
    CoverageTally, EngineRequest, Feeds, PassRecord, PrefillStep, Prompt, Quirk, Rejection,
    RequestId, Role, StepTimeError, StepTimeModel, WorkerId, WorkerLoad,
};
use sim_core::SimDuration;

use crate::blocks::prompt_blocks;
use crate::config::{Preemption, VllmConfig};
use crate::spec_decode::BurstSampler;
use crate::step_clock::StepClock;
use crate::stepped::{PassReport, PassScheduler, Stepped};

use super::kv_pool::KvPool;
use super::request::{Request, Status};
use super::schedule::Pass;

/// A vLLM worker, simulated literally.
pub(crate) struct LiteralVllm {
    pub(super) config: VllmConfig,
    pub(super) clock: StepClock,
    pub(super) sampler: Option<BurstSampler>,
    pub(super) pool: KvPool,
    /// Looked up; never iterated where order matters.
    pub(super) requests: HashMap<RequestId, Request, FxBuildHasher>,
    /// New requests join at the back, preempted ones at the front. Under
    /// [`Quirk::StaleQueueEntries`] there are entries of requests that run or
    /// are gone, which count for as much as a request's own when it waits again.
    pub(super) waiting: VecDeque<RequestId>,
    /// In order of admission.
    pub(super) running: Vec<RequestId>,
}

impl LiteralVllm {
    /// An empty worker.
    pub(crate) fn engine(
        config: VllmConfig,
        worker: WorkerId,
        model: Box<dyn StepTimeModel>,
        feeds: Feeds,
    ) -> Stepped<Self> {
        let kv_at_start = config.quirks.has(Quirk::KvEventsAtPassStart);
        Stepped::new(Self::new(config, worker, model), feeds, kv_at_start)
    }

    pub(crate) fn new(config: VllmConfig, worker: WorkerId, model: Box<dyn StepTimeModel>) -> Self {
        let sampler = config
            .speculation
            .as_ref()
            .map(|speculation| BurstSampler::new(speculation, worker));
        Self {
            clock: StepClock::new(model, config.prefill_speedup, config.decode_speedup),
            pool: KvPool::new(config.blocks),
            requests: HashMap::default(),
            waiting: VecDeque::new(),
            running: Vec::new(),
            sampler,
            config,
        }
    }

    pub(super) fn block_tokens(&self) -> u64 {
        u64::from(self.config.block_tokens)
    }

    /// Prompt tokens of a request that are in the cache.
    pub(super) fn cached_tokens(&self, request: &Request) -> u64 {
        if !self.config.prefix_caching {
            return 0;
        }
        let blocks = (0..request.full)
            .take_while(|&index| self.pool.is_resident(request.block(index)))
            .count() as u64;
        (blocks * self.block_tokens()).min(request.prompt_tokens)
    }

    /// Takes block `index` of a request's sequence. False if there is none to take.
    pub(super) fn hold_block(&mut self, id: RequestId, index: u32) -> bool {
        let request = &self.requests[&id];
        if self.config.prefix_caching && index < request.full {
            self.pool
                .hold_full(request.block(index), request.parent(index))
        } else {
            self.pool.hold_unmatched()
        }
    }

    /// Gives all blocks of a request up, the tail first.
    pub(super) fn release_blocks(&mut self, id: RequestId) {
        let request = &self.requests[&id];
        let held = request.alloc.div_ceil(self.block_tokens()) as u32;
        for index in (0..held).rev() {
            if self.config.prefix_caching && index < request.full {
                self.pool.release_full(request.block(index));
            } else {
                self.pool.release_unmatched();
            }
        }
    }

    /// Makes one running request give way; `None` if none runs.
    pub(super) fn preempt_one(&mut self, report: &mut PassReport) -> Option<RequestId> {
        let position = match self.config.preemption {
            Preemption::Lifo => self.running.len().checked_sub(1)?,
            Preemption::Fifo if self.running.is_empty() => return None,
            Preemption::Fifo => 0,
        };
        let victim = self.running.remove(position);
        self.release_blocks(victim);
        if let Some(request) = self.requests.get_mut(&victim) {
            request.status = Status::Preempted;
            request.computed = 0;
            request.alloc = 0;
        }
        self.waiting.push_front(victim);
        report.preempted(victim);
        Some(victim)
    }

    /// Duration of the prompt tokens of a pass.
    fn prefill_time(&mut self, pass: &Pass) -> Result<SimDuration, StepTimeError> {
        let batch = pass.prefills;
        if batch == 0 {
            return Ok(SimDuration::ZERO);
        }
        let mean = |sum: u64| u32::try_from(sum / u64::from(batch)).unwrap_or(u32::MAX);
        self.clock.prefill(PrefillStep {
            batch,
            isl: mean(pass.reached),
            prefix: mean(pass.prefixes),
        })
    }

    /// The metrics of a pass, its queue as it stands at the end.
    fn record(&self, pass: &Pass) -> PassRecord {
        let mut record = pass.record();
        for id in &self.waiting {
            let Some(request) = self.requests.get(id) else {
                continue;
            };
            match request.status {
                Status::Waiting => record.queued_prefill.add(request.prompt_tokens),
                Status::Preempted => record.queued_decode.add(request.len()),
                Status::Running => {}
            }
        }
        record
    }
}

impl PassScheduler for LiteralVllm {
    fn accept(&mut self, request: EngineRequest) -> Result<(), Rejection> {
        let output_tokens = self
            .config
            .limits()
            .admit(request.prompt.tokens(), request.output_tokens)?;
        let new = Request::new(&request, output_tokens, self.config.block_tokens);
        self.waiting.push_back(new.id);
        self.requests.insert(new.id, new);
        Ok(())
    }

    fn has_work(&self) -> bool {
        !self.requests.is_empty()
    }

    fn pass(&mut self, report: &mut PassReport) -> Result<(), StepTimeError> {
        let mut pass = Pass::new(self.config.max_batched_tokens);
        self.schedule_running(&mut pass, report);
        self.schedule_waiting(&mut pass, report);
        let decode_start = report.start + self.prefill_time(&pass)?;
        if self.config.role == Role::Prefill {
            report.end = decode_start;
            self.emit(&mut pass, report);
        } else if self.config.speculation.is_some() {
            self.emit_bursts(decode_start, &mut pass, report)?;
        } else {
            self.decode(decode_start, &mut pass, report)?;
        }
        if report.wants_record {
            report.record = self.record(&pass);
        }
        report.kv = self.pool.take_changes();
        Ok(())
    }

    fn patience(&self) -> u64 {
        let budget = self.config.max_batched_tokens.map_or(u64::MAX, u64::from);
        let passes = |request: &Request| 1 + request.len().div_ceil(budget);
        // A sum of integers: the order of the map does not matter.
        16 * self.requests.values().map(passes).sum::<u64>()
    }

    fn load(&self) -> WorkerLoad {
        WorkerLoad {
            waiting: (self.requests.len() - self.running.len()) as u32,
            running: self.running.len() as u32,
            active_blocks: self.pool.active(),
            inactive_blocks: self.pool.inactive(),
            total_blocks: self.pool.total(),
        }
    }

    fn resident_tokens(&self, prompt: &Prompt) -> u32 {
        if !self.config.prefix_caching {
            return 0;
        }
        let blocks = prompt_blocks(prompt)
            .take_while(|&block| self.pool.is_resident(block))
            .count() as u32;
        blocks
            .saturating_mul(self.config.block_tokens)
            .min(prompt.tokens())
    }

    fn coverage(&self) -> CoverageTally {
        self.clock.coverage()
    }
}

#[cfg(test)]
impl LiteralVllm {
    /// Counts the blocks of the pool once more, from what its requests hold.
    pub(super) fn assert_blocks_add_up(&self) {
        self.pool.assert_adds_up();
        let mut matched = std::collections::BTreeMap::new();
        let mut unmatched = 0;
        for request in self.requests.values() {
            for index in 0..request.alloc.div_ceil(self.block_tokens()) as u32 {
                if self.config.prefix_caching && index < request.full {
                    *matched.entry(request.block(index)).or_insert(0) += 1;
                } else {
                    unmatched += 1;
                }
            }
        }
        assert_eq!(self.pool.active(), matched.len() as u32 + unmatched);
        for (block, refs) in matched {
            assert_eq!(self.pool.refs(block), refs);
        }
    }
}
