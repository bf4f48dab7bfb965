//! Which requests a pass works on, and on how many of their tokens.

use sim_api::{Admitted, EngineSink, Role};

use super::pass::PassState;
use super::request::Status;
use super::state::{Running, Scheduled, State};

/// What became of an attempt to schedule a request.
enum Turn {
    Scheduled {
        scheduled: Scheduled,
        cached: u32,
    },
    /// It must wait; `early` if it was not even tried to get blocks.
    Blocked {
        early: bool,
    },
    /// It was itself preempted.
    Preempted,
}

impl State {
    /// Schedules the running requests that are no decoders, as far as the budget goes.
    pub(super) fn schedule_running(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) {
        for running in &mut self.others {
            running.scheduled = None;
            running.emitted = false;
        }
        // An index into the whole running batch: removing a request before it
        // makes the pass skip one, as in the reference.
        let mut index = self.decoders.len() as usize;
        while pass.budget > 0 {
            let Some(at) = index.checked_sub(self.decoders.len() as usize) else {
                break;
            };
            let Some(slot) = self.others.get(at).map(|running| running.slot) else {
                break;
            };
            match self.schedule(slot, pass, sink) {
                Turn::Scheduled { scheduled, .. } => {
                    if let Some(running) = self.others.iter_mut().find(|it| it.slot == slot) {
                        running.scheduled = Some(scheduled);
                    }
                    index += 1;
                }
                Turn::Blocked { .. } => break,
                Turn::Preempted => {}
            }
        }
    }

    /// Admits waiting requests, strictly in order, as long as there are seats.
    pub(super) fn admit(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) {
        let plain = self.others.is_empty();
        while !pass.preempted && self.has_seat() {
            let Some(slot) = self.queue.front(&mut self.requests) else {
                break;
            };
            match self.schedule(slot, pass, sink) {
                Turn::Scheduled { scheduled, cached } => {
                    self.start_running(slot, scheduled, cached, pass, sink);
                    if scheduled.tokens == 0 && pass.budget == 0 {
                        break;
                    }
                }
                Turn::Blocked { early } => {
                    // The budget that was left is what passes of the same decoders leave.
                    self.front_blocked = early && plain && self.others.is_empty();
                    break;
                }
                Turn::Preempted => break,
            }
        }
    }

    fn start_running(
        &mut self,
        slot: u32,
        scheduled: Scheduled,
        cached: u32,
        pass: &PassState,
        sink: &mut dyn EngineSink,
    ) {
        let request = &mut self.requests[slot];
        self.queue.admit(slot, request);
        sink.admitted(Admitted {
            request: request.id,
            at: pass.start,
            cached_tokens: cached,
            again: request.admitted,
        });
        request.admitted = true;
        request.status = Status::Running;
        request.order = self.admissions;
        self.admissions += 1;
        self.others.push(Running {
            slot,
            scheduled: Some(scheduled),
            emitted: false,
        });
    }

    fn schedule(&mut self, slot: u32, pass: &mut PassState, sink: &mut dyn EngineSink) -> Turn {
        let request = &self.requests[slot];
        let (prompt, len) = (request.prompt.tokens(), request.len());
        let cached = if request.computed == 0 {
            self.cached_tokens(slot)
        } else {
            0
        };
        let from = request.computed + cached;
        let before = from.min(prompt);
        let remaining = len - from;
        if !self.config.chunked_prefill && u64::from(prompt - before) > pass.budget {
            return Turn::Blocked { early: true };
        }
        let take = u64::from(remaining).min(pass.budget) as u32;
        if take == 0 && remaining > 0 {
            return Turn::Blocked { early: true };
        }
        let target = from + take;
        if self.config.speculation.is_some() && !self.may_take(slot, target) {
            return Turn::Blocked { early: true };
        }
        if !self.allocate(slot, target, pass, sink) {
            return Turn::Preempted;
        }
        let reached = self.requests[slot].computed;
        let tokens = reached.saturating_sub(from);
        if tokens == 0 && reached < len {
            return Turn::Blocked { early: false };
        }
        let prompt_tokens = reached.min(prompt).saturating_sub(before);
        let scheduled = Scheduled {
            tokens,
            prompt_tokens,
            before,
        };
        pass.add(scheduled, self.config.role != Role::Decode);
        Turn::Scheduled { scheduled, cached }
    }

    /// Makes a request hold the blocks of its first `target` tokens, with others
    /// giving way where blocks run out. False if it had to give way itself.
    fn allocate(
        &mut self,
        slot: u32,
        target: u32,
        pass: &mut PassState,
        sink: &mut dyn EngineSink,
    ) -> bool {
        let block_tokens = self.config.block_tokens;
        loop {
            let request = &mut self.requests[slot];
            if target <= request.allocated {
                request.computed = target;
                return true;
            }
            let wanted = target.div_ceil(block_tokens);
            let (sequence, holding) = request.parts(block_tokens, self.config.prefix_caching);
            self.kv.hold(holding, sequence, wanted);
            let held = holding.blocks;
            if held == wanted {
                request.allocated = target;
                request.computed = target;
                return true;
            }
            request.allocated = held * block_tokens;
            request.computed = request.allocated;
            let Some(victim) = self.preempt(pass, sink) else {
                return true;
            };
            pass.preempted = true;
            if victim == slot {
                return false;
            }
        }
    }

    /// With speculation a request that waits takes no running one's blocks: what
    /// version 1.3.1 of the reference, the first with speculation, does.
    fn may_take(&mut self, slot: u32, target: u32) -> bool {
        let block_tokens = self.config.block_tokens;
        let request = &mut self.requests[slot];
        if request.status == Status::Running {
            return true;
        }
        let (sequence, holding) = request.parts(block_tokens, self.config.prefix_caching);
        let to = target.div_ceil(block_tokens);
        self.kv.missing(holding, sequence, to) <= self.kv.available()
    }

    /// Tokens of a request's prompt that are in the cache.
    fn cached_tokens(&self, slot: u32) -> u32 {
        if !self.config.prefix_caching {
            return 0;
        }
        let request = &self.requests[slot];
        let blocks = self
            .kv
            .resident(request.prompt.runs(), Some(&request.holding));
        blocks
            .saturating_mul(self.config.block_tokens)
            .min(request.prompt.tokens())
    }
}
