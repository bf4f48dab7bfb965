//! Which requests a pass works on, and on how many of their tokens.

use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;
use sim_api::{PassRecord, Quirk, RequestId, Role};

use crate::stepped::PassReport;

use super::request::Status;
use super::vllm::LiteralVllm;

/// What a pass does for one request.
#[derive(Clone, Copy, Debug)]
struct Scheduled {
    id: RequestId,
    /// Tokens taken from the budget.
    used: u64,
    prompt_before: u64,
    /// Prompt tokens computed.
    prompt_tokens: u64,
    prompt_length: u64,
    /// Prompt and generated tokens at the time.
    context: u64,
}

/// A pass in the making.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    budget: u64,
    scheduled: Vec<Scheduled>,
    /// Those scheduled without prompt tokens.
    decoding: HashSet<RequestId, FxBuildHasher>,
    preempted: bool,
    /// Requests that prefill time is charged for.
    pub(super) prefills: u32,
    /// Σ prompt tokens they have reached.
    pub(super) reached: u64,
    /// Σ prompt tokens they had before.
    pub(super) prefixes: u64,
    decode_tokens: u64,
    decode_forwards: u64,
}

/// What came of trying to schedule a request.
enum Attempt {
    /// Scheduled, with the tokens used and found in the cache.
    Scheduled { used: u64, cached: u64 },
    /// Nothing could be done for it.
    Blocked,
    /// It had to give way itself.
    CurrentPreempted,
}

impl Pass {
    pub(super) fn new(budget: Option<u32>) -> Self {
        Self {
            budget: budget.map_or(u64::MAX, u64::from),
            scheduled: Vec::new(),
            decoding: HashSet::default(),
            preempted: false,
            prefills: 0,
            reached: 0,
            prefixes: 0,
            decode_tokens: 0,
            decode_forwards: 0,
        }
    }

    fn add(&mut self, scheduled: Scheduled, costs_prefill: bool) {
        if scheduled.prompt_tokens > 0 && costs_prefill {
            self.prefills += 1;
            self.reached += scheduled.prompt_before + scheduled.prompt_tokens;
            self.prefixes += scheduled.prompt_before;
        }
        if scheduled.prompt_tokens == 0 {
            self.decoding.insert(scheduled.id);
        }
        self.budget -= scheduled.used;
        self.scheduled.push(scheduled);
    }

    /// A request that was scheduled has to give way.
    fn undo(&mut self, victim: RequestId, costs_prefill: bool) {
        self.preempted = true;
        let Some(position) = self.scheduled.iter().position(|one| one.id == victim) else {
            return;
        };
        let undone = self.scheduled.remove(position);
        self.decoding.remove(&victim);
        self.budget += undone.used;
        if undone.prompt_tokens > 0 && costs_prefill {
            self.prefills -= 1;
            self.reached -= undone.prompt_before + undone.prompt_tokens;
            self.prefixes -= undone.prompt_before;
        }
    }

    /// A request got `tokens` tokens.
    pub(super) fn emitted(&mut self, id: RequestId, tokens: u32) {
        if self.decoding.contains(&id) {
            self.decode_forwards += 1;
            self.decode_tokens += u64::from(tokens);
        }
    }

    /// The metrics of the pass, its queue left out.
    pub(super) fn record(&self) -> PassRecord {
        let mut record = PassRecord {
            decode_tokens: self.decode_tokens,
            decode_forwards: self.decode_forwards,
            ..PassRecord::default()
        };
        for one in &self.scheduled {
            if one.prompt_tokens > 0 {
                record.prefill_lengths.add(one.prompt_length);
                record.prefill_tokens += one.used;
                record.prefill_kv_tokens += one.prompt_before;
            } else {
                record.decode_contexts.add(one.context);
            }
        }
        record
    }
}

impl LiteralVllm {
    fn costs_prefill(&self) -> bool {
        self.config.role != Role::Decode
    }

    /// Running requests first, oldest first, while the budget lasts.
    pub(super) fn schedule_running(&mut self, pass: &mut Pass, report: &mut PassReport) {
        let mut index = 0;
        while index < self.running.len() && pass.budget > 0 {
            match self.schedule(self.running[index], pass, report) {
                // If the head of the list gave way to this request, the list
                // has shifted and the next request is left out: the
                // reference's rule.
                Attempt::Scheduled { .. } => index += 1,
                Attempt::Blocked => break,
                Attempt::CurrentPreempted => {}
            }
        }
    }

    /// Then waiting requests, strictly in order, while there are seats.
    pub(super) fn schedule_waiting(&mut self, pass: &mut Pass, report: &mut PassReport) {
        let seats = self
            .config
            .max_sequences
            .map_or(usize::MAX, |max| max as usize);
        while !pass.preempted && self.running.len() < seats {
            let Some(&id) = self.waiting.front() else {
                return;
            };
            if !self.is_waiting(id) {
                self.waiting.pop_front();
                continue;
            }
            let Attempt::Scheduled { used, cached } = self.schedule(id, pass, report) else {
                return;
            };
            self.admit(id, cached, report);
            if used == 0 && pass.budget == 0 {
                return;
            }
        }
    }

    fn is_waiting(&self, id: RequestId) -> bool {
        self.requests
            .get(&id)
            .is_some_and(|request| request.status != Status::Running)
    }

    fn admit(&mut self, id: RequestId, cached: u64, report: &mut PassReport) {
        // If somebody gave way to this admission, that one is in front by now.
        if self.waiting.front() == Some(&id) {
            self.waiting.pop_front();
        } else if !self.config.quirks.has(Quirk::StaleQueueEntries) {
            self.waiting.retain(|waiting| *waiting != id);
        }
        self.running.push(id);
        if let Some(request) = self.requests.get_mut(&id) {
            request.status = Status::Running;
            let again = std::mem::replace(&mut request.admitted_before, true);
            report.admitted(id, cached as u32, again);
        }
    }

    fn schedule(&mut self, id: RequestId, pass: &mut Pass, report: &mut PassReport) -> Attempt {
        let request = &self.requests[&id];
        let cached = if request.computed == 0 {
            self.cached_tokens(request)
        } else {
            0
        };
        let before = request.computed + cached;
        let context = request.len();
        let prompt_length = request.prompt_tokens;
        let prompt_before = before.min(prompt_length);
        if !self.config.chunked_prefill && prompt_length - prompt_before > pass.budget {
            return Attempt::Blocked;
        }
        let remaining = context.saturating_sub(before);
        let take = remaining.min(pass.budget);
        if take == 0 && remaining > 0 {
            return Attempt::Blocked;
        }
        if self.must_not_preempt(id) && !self.could_hold(id, before + take) {
            return Attempt::Blocked;
        }
        if !self.allocate(id, before + take, pass, report) {
            return Attempt::CurrentPreempted;
        }
        let computed = self.requests[&id].computed;
        let used = computed.saturating_sub(before);
        if used == 0 && computed < context {
            return Attempt::Blocked;
        }
        let scheduled = Scheduled {
            id,
            used,
            prompt_before,
            prompt_tokens: computed.min(prompt_length).saturating_sub(prompt_before),
            prompt_length,
            context,
        };
        pass.add(scheduled, self.costs_prefill());
        Attempt::Scheduled { used, cached }
    }

    /// With speculation a request that waits takes no running one's blocks:
    /// what version 1.3.1 of the reference, the first with speculation, does.
    fn must_not_preempt(&self, id: RequestId) -> bool {
        self.config.speculation.is_some() && self.is_waiting(id)
    }

    /// Whether the blocks of the first `target` tokens can be had without
    /// anybody giving way.
    fn could_hold(&self, id: RequestId, target: u64) -> bool {
        let request = &self.requests[&id];
        let held = request.alloc.div_ceil(self.block_tokens()) as u32;
        let wanted = target.div_ceil(self.block_tokens()) as u32;
        let (mut missing, mut revived) = (0_u64, 0_u64);
        for index in held..wanted {
            let block = request.block(index);
            let matchable = self.config.prefix_caching && index < request.full;
            if !matchable || !self.pool.is_resident(block) {
                missing += 1;
            } else if self.pool.refs(block) == 0 {
                revived += 1;
            }
        }
        missing + revived <= self.pool.available()
    }

    /// Holds the blocks of the first `target` tokens, with others giving way
    /// where blocks run out. False if the request itself had to.
    fn allocate(
        &mut self,
        id: RequestId,
        target: u64,
        pass: &mut Pass,
        report: &mut PassReport,
    ) -> bool {
        while !self.hold_up_to(id, target) {
            let Some(victim) = self.preempt_one(report) else {
                return true;
            };
            pass.undo(victim, self.costs_prefill());
            if victim == id {
                return false;
            }
        }
        true
    }

    /// Holds as many blocks of the first `target` tokens as there are. True if all.
    fn hold_up_to(&mut self, id: RequestId, target: u64) -> bool {
        let block_tokens = self.block_tokens();
        let alloc = self.requests[&id].alloc;
        let mut held = alloc.div_ceil(block_tokens);
        let wanted = target.div_ceil(block_tokens);
        while held < wanted && self.hold_block(id, held as u32) {
            held += 1;
        }
        let reached = target.min(held * block_tokens);
        if let Some(request) = self.requests.get_mut(&id) {
            request.alloc = alloc.max(reached);
            request.computed = reached;
        }
        held >= wanted
    }
}
