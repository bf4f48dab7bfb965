//! The state of an engine between passes, and preemption.

use sim_api::{
    Admission, CoverageTally, EngineRequest, EngineSink, Feeds, KvChange, Preempted, Prompt, Quirk,
    Role, Stamp, WorkerId, WorkerLoad,
};
use sim_core::SimTime;

use super::bursts::Bursts;
use super::decoders::{Decoders, Touched};
use super::kv_runs::{Fate, KvRuns};
use super::outcomes::Pending;
use super::pass::PassState;
use super::queue::WaitingQueue;
use super::request::{Request, Requests, Status};
use crate::config::{Preemption, VllmConfig};

/// A running request that passes look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) slot: u32,
    /// What the pass has scheduled of it.
    pub(super) scheduled: Option<Scheduled>,
    /// Whether it got a token in the pass.
    pub(super) emitted: bool,
}

/// Tokens of a request in a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled {
    /// Of the budget.
    pub(super) tokens: u32,
    /// Of these, prompt tokens.
    pub(super) prompt_tokens: u32,
    /// Prompt tokens that were in KV before.
    pub(super) before: u32,
}

/// An engine but for its step times.
pub(super) struct State {
    pub(super) config: VllmConfig,
    pub(super) feeds: Feeds,
    pub(super) requests: Requests,
    pub(super) kv: KvRuns,
    pub(super) queue: WaitingQueue,
    /// The leading part of the running batch.
    pub(super) decoders: Decoders,
    /// Speculative decoding, if passes decode and it is on.
    pub(super) bursts: Option<Bursts>,
    /// The rest of it, in running order.
    pub(super) others: Vec<Running>,
    /// Start of the coming pass, if there is anything to do.
    pub(super) clock: SimTime,
    /// Admissions so far.
    pub(super) admissions: u64,
    /// Whether the request at the front of the queue must wait for a change of
    /// the batch.
    pub(super) front_blocked: bool,
    pub(super) pending: Pending,
    /// The end of the pass with the next completion, as long as that is known.
    pub(super) next_completion: Option<SimTime>,
    pub(super) last_end: Option<SimTime>,
    pub(super) coverage: CoverageTally,
    /// Passes since the last token.
    pub(super) barren_passes: u64,
    /// Memory to work in.
    pub(super) touched: Vec<Touched>,
}

impl State {
    pub(super) fn new(config: VllmConfig, worker: WorkerId, feeds: Feeds) -> Self {
        let speculation = config.speculation.as_ref();
        let speculation = speculation.filter(|_| config.role != Role::Prefill);
        let bursts = speculation.map(|speculation| Bursts::new(speculation, worker));
        let burst = bursts.as_ref().and_then(Bursts::fixed).unwrap_or(1);
        Self {
            requests: Requests::default(),
            kv: KvRuns::new(config.blocks, feeds.kv && config.prefix_caching),
            queue: WaitingQueue::new(config.quirks.has(Quirk::StaleQueueEntries)),
            decoders: Decoders::new(config.block_tokens, burst),
            bursts,
            others: Vec::new(),
            clock: SimTime::ZERO,
            admissions: 0,
            front_blocked: false,
            pending: Pending::new(),
            next_completion: None,
            last_end: None,
            coverage: CoverageTally::default(),
            barren_passes: 0,
            touched: Vec::new(),
            config,
            feeds,
        }
    }

    pub(super) fn accept(&mut self, now: SimTime, request: EngineRequest) -> Admission {
        let EngineRequest {
            id,
            prompt,
            output_tokens,
        } = request;
        let output = match self.config.limits().admit(prompt.tokens(), output_tokens) {
            Ok(output) => output,
            Err(rejection) => return Admission::Rejected(rejection),
        };
        if self.has_nothing_to_do() {
            self.clock = self.clock.max(now);
        }
        if self.queue.is_empty() {
            self.front_blocked = false;
        }
        let slot = self.requests.insert(Request::new(id, prompt, output));
        self.queue.push_back(slot, &self.requests[slot]);
        Admission::Queued
    }

    /// Whether no request waits or runs.
    pub(super) fn has_nothing_to_do(&self) -> bool {
        self.running() == 0 && self.queue.requests() == 0
    }

    /// Requests in the running batch.
    pub(super) fn running(&self) -> u32 {
        self.decoders.len() + self.others.len() as u32
    }

    /// Whether a pass could admit one more request.
    pub(super) fn has_seat(&self) -> bool {
        self.config
            .max_sequences
            .is_none_or(|seats| self.running() < seats)
    }

    /// Whether the coming pass does nothing but give every request one token.
    pub(super) fn only_decodes(&self) -> bool {
        self.others.is_empty()
            && self.decoders.len() > 0
            && (self.queue.is_empty() || self.front_blocked || !self.has_seat())
    }

    pub(super) fn load(&self) -> WorkerLoad {
        WorkerLoad {
            waiting: self.queue.requests(),
            running: self.running(),
            active_blocks: self.kv.active(),
            inactive_blocks: self.kv.inactive(),
            total_blocks: self.kv.total(),
        }
    }

    pub(super) fn resident_tokens(&self, prompt: &Prompt) -> u32 {
        if !self.config.prefix_caching {
            return 0;
        }
        self.kv
            .resident(prompt.runs(), None)
            .saturating_mul(self.config.block_tokens)
            .min(prompt.tokens())
    }

    /// Makes a running request wait again. Returns its slot; `None` if nobody runs.
    pub(super) fn preempt(
        &mut self,
        pass: &mut PassState,
        sink: &mut dyn EngineSink,
    ) -> Option<u32> {
        let slot = self.take_victim(pass)?;
        let request = &mut self.requests[slot];
        let (sequence, holding) =
            request.parts(self.config.block_tokens, self.config.prefix_caching);
        self.kv.release(holding, sequence, Fate::Returns);
        request.computed = 0;
        request.allocated = 0;
        request.status = Status::Preempted;
        self.queue.push_front(slot, request);
        self.front_blocked = false;
        sink.preempted(Preempted {
            request: request.id,
            at: pass.start,
        });
        Some(slot)
    }

    /// Takes the next victim out of the running batch, and what the pass had
    /// scheduled of it out of the pass.
    fn take_victim(&mut self, pass: &mut PassState) -> Option<u32> {
        let (decoder, other) = match self.config.preemption {
            Preemption::Lifo if self.others.is_empty() => (self.decoders.last(), None),
            Preemption::Lifo => (None, Some(self.others.len() - 1)),
            Preemption::Fifo => match self.decoders.first() {
                None => (None, (!self.others.is_empty()).then_some(0)),
                first => (first, None),
            },
        };
        if let Some(index) = other {
            let victim = self.others.remove(index);
            if let Some(scheduled) = victim.scheduled {
                pass.undo(scheduled);
            }
            return Some(victim.slot);
        }
        let slot = decoder?;
        let request = &mut self.requests[slot];
        // Decoders before the place where tokens are given out have theirs.
        let emitted = pass.emitting_at.is_some_and(|at| request.order < at);
        self.decoders.leave(slot, request, u32::from(emitted));
        self.decoders.completions.forget(slot);
        request.last_token = if emitted { pass.end } else { pass.start };
        pass.decoder_left(emitted);
        Some(slot)
    }

    /// Hands over the changes of the cache made by the pass, or keeps them until its end.
    pub(super) fn report_changes(&mut self, start: SimTime, sink: &mut dyn EngineSink) {
        let Some(changes) = self.kv.changes() else {
            return;
        };
        if self.config.quirks.has(Quirk::KvEventsAtPassStart) {
            let stamp = Stamp {
                at: start,
                pass_start: start,
            };
            changes
                .drain(..)
                .for_each(|change: KvChange| sink.kv(stamp, change));
        } else {
            self.pending.changes.append(changes);
        }
    }

    /// Whether first tokens pay no decode step and are left out of its inputs.
    pub(super) fn first_tokens_are_free(&self) -> bool {
        self.config.role == Role::Aggregated
            && self.config.speculation.is_none()
            && !self.config.quirks.has(Quirk::FirstTokenPaysDecode)
    }
}
