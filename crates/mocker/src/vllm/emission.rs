//! The end of a pass: tokens are given out in running order, new blocks are
//! begun, last tokens release theirs.

use sim_api::{EngineError, EngineSink};
use sim_core::SimTime;

use super::kv_runs::Fate;
use super::outcomes::Outcome;
use super::pass::PassState;
use super::request::{Request, Status};
use super::state::State;

impl State {
    /// Gives out the tokens of a pass. Returns whether anybody got one.
    pub(super) fn emit(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) -> bool {
        self.emit_to_decoders(pass, sink);
        // All decoders that are left have their token.
        pass.emitting_at = Some(u64::MAX);
        let decoded = pass.decoders > 0;
        pass.gaps += pass.decoders;
        let others = if self.bursts.is_some() {
            self.emit_bursts_to_others(pass)
        } else {
            self.emit_to_others(pass, sink)
        };
        others || decoded
    }

    /// Gives every decoder its tokens.
    pub(super) fn emit_to_decoders(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) {
        if self.bursts.is_some() {
            self.emit_bursts_to_decoders(pass);
        } else {
            self.emit_singly_to_decoders(pass, sink);
            pass.decoder_tokens = u64::from(pass.decoders);
        }
    }

    /// Gives every decoder one token, touching those only for whom something happens.
    fn emit_singly_to_decoders(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) {
        pass.emitting_at = Some(0);
        let crossing = self.decoders.crossings.count_after(0);
        let completing = self.decoders.until_completion() == Some(0);
        let scarce = crossing > self.kv.available();
        // With free blocks enough, or nobody releasing any, the order of taking
        // them does not matter.
        let one_by_one = scarce || (completing && crossing > self.kv.free());
        if !one_by_one {
            self.kv.grow(crossing);
            if !completing && self.decoders.fresh.is_empty() {
                return;
            }
        }
        let mut touched = std::mem::take(&mut self.touched);
        self.decoders
            .touched(&self.requests, one_by_one, &mut touched);
        for &decoder in &touched {
            let slot = decoder.slot;
            if self.requests[slot].status != Status::Decoding {
                continue;
            }
            pass.emitting_at = Some(decoder.order());
            if decoder.crosses && !self.begin_block(slot, pass, sink) {
                continue;
            }
            let id = self.requests[slot].id;
            if decoder.fresh {
                self.pending.outcomes.push(Outcome::SecondToken(id));
            }
            if decoder.completes {
                self.pending.outcomes.push(Outcome::Completed(id));
                let request = &mut self.requests[slot];
                self.decoders.leave(slot, request, 1);
                self.end(slot);
            }
        }
        self.touched = touched;
    }

    fn emit_to_others(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) -> bool {
        let block_tokens = self.config.block_tokens;
        let mut emitted = false;
        let mut index = 0;
        while let Some(running) = self.others.get(index) {
            let slot = running.slot;
            let request = &self.requests[slot];
            if request.computed < request.len() {
                index += 1;
                continue;
            }
            if request.len().is_multiple_of(block_tokens) {
                if !self.begin_block(slot, pass, sink) {
                    index = self.index_after(slot, index);
                    continue;
                }
                self.requests[slot].holding.blocks += 1;
                index = self.index_of(slot, index);
            }
            emitted = true;
            let running = &mut self.others[index];
            running.emitted = true;
            let decodes = running.scheduled.is_some_and(|it| it.prompt_tokens == 0);
            pass.other_forwards += u32::from(decodes);
            pass.other_tokens += u64::from(decodes);
            if self.append_tokens(slot, 1, pass) {
                self.others.remove(index);
                self.end(slot);
            } else {
                index += 1;
            }
        }
        emitted
    }

    /// Gets the block that the next token of a request begins, preempting
    /// others if need be. Returns whether the request still runs.
    fn begin_block(&mut self, slot: u32, pass: &mut PassState, sink: &mut dyn EngineSink) -> bool {
        while self.kv.available() == 0 {
            match self.preempt(pass, sink) {
                Some(victim) if victim != slot => {}
                _ => return false,
            }
        }
        self.kv.grow(1);
        true
    }

    /// Where in `others` a request is that was at `index` before some were preempted.
    fn index_of(&self, slot: u32, index: usize) -> usize {
        let moved = |&at: &usize| self.others.get(at).is_some_and(|it| it.slot == slot);
        (0..=index).rev().find(moved).unwrap_or(index)
    }

    /// Where to go on once the request that was at `index` is preempted.
    fn index_after(&self, slot: u32, index: usize) -> usize {
        // Victims are taken from the front or from the back. From the back the
        // request was the last one left; from the front all before it are gone.
        debug_assert!(self.others.iter().all(|it| it.slot != slot));
        let order = self.requests[slot].order;
        let before = |it: &super::state::Running| self.requests[it.slot].order < order;
        self.others
            .iter()
            .take(index)
            .filter(|it| before(it))
            .count()
    }

    /// Gives a request of `others` tokens, at least one. Returns whether they are its last.
    pub(super) fn append_tokens(&mut self, slot: u32, tokens: u32, pass: &mut PassState) -> bool {
        let request = &mut self.requests[slot];
        let before = request.generated;
        request.generated += tokens;
        request.allocated = request.len();
        if before == 0 {
            self.pending.outcomes.push(Outcome::FirstToken(request.id));
        } else if request.last_token == pass.start {
            pass.gaps += 1;
        } else {
            self.pending.long_gaps.push(request.last_token);
        }
        if before < 2 && request.generated >= 2 {
            self.pending.outcomes.push(Outcome::SecondToken(request.id));
        }
        request.last_token = pass.end;
        let last = request.generated == request.output;
        if last {
            self.pending.outcomes.push(Outcome::Completed(request.id));
        }
        last
    }

    /// Releases a request that got its last token.
    pub(super) fn end(&mut self, slot: u32) {
        let (sequence, holding) =
            self.requests[slot].parts(self.config.block_tokens, self.config.prefix_caching);
        self.kv.release(holding, sequence, Fate::Ended);
        self.requests.remove(slot);
        self.front_blocked = false;
        self.next_completion = None;
    }

    /// Keeps count of passes without tokens.
    ///
    /// # Errors
    /// There were so many that there will never be one.
    pub(super) fn note_progress(
        &mut self,
        emitted: bool,
        start: SimTime,
    ) -> Result<(), EngineError> {
        if emitted {
            self.barren_passes = 0;
            return Ok(());
        }
        self.barren_passes += 1;
        let passes = self.barren_passes;
        if passes.is_multiple_of(PATIENCE_CHECK) && passes > self.patience() {
            return Err(EngineError::NoProgress { at: start, passes });
        }
        Ok(())
    }

    /// How many passes without a token are nothing to worry about.
    fn patience(&self) -> u64 {
        let budget = self.config.max_batched_tokens.map_or(u64::MAX, u64::from);
        let passes = |request: &Request| {
            let generated = match request.status {
                Status::Decoding => self.decoders.generated(request),
                _ => request.generated,
            };
            let len = u64::from(request.prompt.tokens()) + u64::from(generated);
            1 + len.div_ceil(budget)
        };
        16 * self.requests.iter().map(passes).sum::<u64>()
    }
}

/// How often the patience is worked out, in passes without a token.
const PATIENCE_CHECK: u64 = 1024;
