//! Speculative decoding (MTP): a pass gives a request several tokens at once.
//!
//! Bursts that are drawn need a look at every request in every pass, so then
//! nobody is a decoder. Where the accept rates leave nothing to chance, all
//! bursts have one length and decoders stay as cheap as without.

use sim_api::{EngineSink, WorkerId};

use super::outcomes::Outcome;
use super::pass::PassState;
use super::request::{Request, Status};
use super::state::State;
use crate::config::Speculation;
use crate::spec_decode::BurstSampler;

/// How many tokens a pass gives a request.
#[derive(Debug)]
pub(super) struct Bursts {
    /// At most.
    longest: u32,
    /// Always so many, if nothing is left to chance.
    fixed: Option<u32>,
    sampler: BurstSampler,
}

impl Bursts {
    pub(super) fn new(speculation: &Speculation, worker: WorkerId) -> Self {
        let longest = speculation.draft_tokens() + 1;
        let certain = |rate: &&f64| **rate >= 1.0;
        let accepted = speculation.accept_rates.iter().take_while(certain).count();
        let chance = speculation.accept_rates.get(accepted);
        let fixed = chance.is_none_or(|&rate| rate <= 0.0);
        Self {
            longest,
            fixed: fixed.then_some(accepted as u32 + 1),
            sampler: BurstSampler::new(speculation, worker),
        }
    }

    /// The length that all bursts have, if they do.
    pub(super) fn fixed(&self) -> Option<u32> {
        self.fixed
    }

    /// The length of the longest possible burst.
    pub(super) fn longest(&self) -> u32 {
        self.longest
    }

    fn draw(&mut self) -> u32 {
        self.fixed.unwrap_or_else(|| self.sampler.burst())
    }
}

impl State {
    /// Frees the blocks that the longest bursts would need, with requests
    /// giving way where there are not as many.
    pub(super) fn reserve_bursts(&mut self, pass: &mut PassState, sink: &mut dyn EngineSink) {
        let Some(longest) = self.bursts.as_ref().map(Bursts::longest) else {
            return;
        };
        loop {
            let mut blocks = self.blocks_of_decoders(longest);
            for running in &self.others {
                let request = &self.requests[running.slot];
                if request.computed >= request.len() {
                    blocks += u64::from(self.blocks_of_burst(request, longest));
                }
            }
            if self.reserve(blocks) || self.preempt(pass, sink).is_none() {
                return;
            }
        }
    }

    /// Sees to it that `blocks` blocks are free. False if there are not as many.
    pub(super) fn reserve(&mut self, blocks: u64) -> bool {
        if blocks > u64::from(self.kv.available()) {
            return false;
        }
        if self.kv.reserve(blocks as u32) {
            // A prompt that lost cached blocks may fit a pass now.
            self.front_blocked = false;
        }
        true
    }

    /// Blocks that bursts of up to `longest` tokens begin, for all decoders.
    pub(super) fn blocks_of_decoders(&self, longest: u32) -> u64 {
        let blocks = self.decoders.crossings.count_within(longest);
        blocks - self.blocks_beyond_the_end(longest, self.decoders.pass_of_last(longest))
    }

    /// Blocks that bursts of `tokens` tokens would begin, for the decoders
    /// that complete by pass `pass`, beyond their last token.
    fn blocks_beyond_the_end(&self, tokens: u32, pass: u64) -> u64 {
        let block_tokens = self.config.block_tokens;
        let beyond = |slot: u32| {
            let request = &self.requests[slot];
            let generated = self.decoders.generated(request);
            let len = request.prompt.tokens() + generated;
            let end = request.prompt.tokens() + request.output;
            let (burst, last) = (
                (len + tokens).div_ceil(block_tokens),
                end.div_ceil(block_tokens),
            );
            u64::from(burst.saturating_sub(last))
        };
        let completing = self.decoders.completions.by(pass);
        completing.map(beyond).sum()
    }

    /// Tokens that the coming pass gives the decoders.
    pub(super) fn tokens_of_decoders(&self) -> u64 {
        let burst = self.decoders.burst();
        let tokens = u64::from(self.decoders.len()) * u64::from(burst);
        if burst == 1 {
            return tokens;
        }
        let completing = self.decoders.completions.by(self.decoders.pass());
        let unused = |slot| u64::from(burst - self.decoders.remaining(&self.requests[slot]));
        tokens - completing.map(unused).sum::<u64>()
    }

    /// Gives all decoders their bursts, for which blocks are free.
    pub(super) fn emit_bursts_to_decoders(&mut self, pass: &mut PassState) {
        let tokens = self.decoders.burst();
        let begun = self.decoders.crossings.count_within(tokens)
            - self.blocks_beyond_the_end(tokens, self.decoders.pass());
        self.kv.grow(begun as u32);
        pass.decoder_tokens = self.tokens_of_decoders();
        let mut touched = std::mem::take(&mut self.touched);
        self.decoders.touched(&self.requests, false, &mut touched);
        for &decoder in &touched {
            let slot = decoder.slot;
            let request = &mut self.requests[slot];
            if request.status != Status::Decoding {
                continue;
            }
            if decoder.fresh {
                self.pending.outcomes.push(Outcome::SecondToken(request.id));
            }
            if decoder.completes {
                let rest = self.decoders.remaining(request);
                self.pending.outcomes.push(Outcome::Completed(request.id));
                self.decoders.leave(slot, request, rest);
                self.end(slot);
            }
        }
        self.touched = touched;
        pass.instant_gaps += pass.decoder_tokens - u64::from(pass.decoders);
    }

    /// Gives the other requests that are ready their bursts, for which blocks
    /// are free. Returns whether there were any.
    pub(super) fn emit_bursts_to_others(&mut self, pass: &mut PassState) -> bool {
        let mut emitted = false;
        let mut index = 0;
        while let Some(running) = self.others.get_mut(index) {
            let slot = running.slot;
            let request = &self.requests[slot];
            if request.computed < request.len() {
                index += 1;
                continue;
            }
            let decodes = running.scheduled.is_some_and(|it| it.prompt_tokens == 0);
            running.emitted = true;
            emitted = true;
            let drawn = self.bursts.as_mut().map_or(1, Bursts::draw);
            let tokens = drawn.min(request.output - request.generated);
            let blocks = self.blocks_of_burst(&self.requests[slot], tokens);
            self.kv.grow(blocks);
            self.requests[slot].holding.blocks += blocks;
            if decodes {
                pass.other_forwards += 1;
                pass.other_tokens += u64::from(tokens);
            }
            pass.instant_gaps += u64::from(tokens - 1);
            if self.append_tokens(slot, tokens, pass) {
                self.others.remove(index);
                self.end(slot);
            } else {
                // The last token of a burst has no KV yet.
                let request = &mut self.requests[slot];
                request.computed = request.len() - 1;
                index += 1;
            }
        }
        emitted
    }

    /// Blocks that a burst of up to `longest` tokens begins.
    fn blocks_of_burst(&self, request: &Request, longest: u32) -> u32 {
        let block_tokens = self.config.block_tokens;
        let tokens = longest.min(request.output - request.generated);
        (request.len() + tokens).div_ceil(block_tokens) - request.len().div_ceil(block_tokens)
    }
}
