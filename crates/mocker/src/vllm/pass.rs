//! One pass in which requests are admitted, compute prompts or run short of
//! blocks. Decoders count as a whole, the others are looked at one by one.

use sim_api::{
    EngineError, EngineSink, PassDurations, PassRecord, PassRun, PrefillStep, Role, Stamp,
    StepTimeError,
};
use sim_core::{SimDuration, SimTime};
use smallvec::SmallVec;

use super::outcomes::PassLength;
use super::state::{Scheduled, State};
use super::step_table::{Batch, StepTable, Timed};

/// What a pass has gathered so far.
#[derive(Debug)]
pub(super) struct PassState {
    pub(super) start: SimTime,
    /// Its end, once tokens are given out.
    pub(super) end: SimTime,
    /// Tokens it may still schedule.
    pub(super) budget: u64,
    /// Requests with prompt tokens.
    prefills: u32,
    /// Σ of the prompt tokens that they reach.
    reached: u64,
    /// Σ of the prompt tokens that they had before.
    before: u64,
    /// Whether somebody was preempted for blocks that others were to hold.
    pub(super) preempted: bool,
    /// The place in the running order up to which tokens were given out.
    pub(super) emitting_at: Option<u64>,
    /// Decoders that were scheduled and not preempted before they got their token.
    pub(super) decoders: u32,
    /// Requests scheduled without prompt tokens, decoders aside, that got a token.
    pub(super) other_forwards: u32,
    /// Tokens of these, and of the decoders.
    pub(super) other_tokens: u64,
    pub(super) decoder_tokens: u64,
    /// Tokens whose predecessor came at the start of the pass.
    pub(super) gaps: u32,
    /// Tokens whose predecessor came with them.
    pub(super) instant_gaps: u64,
}

impl PassState {
    pub(super) fn new(start: SimTime, budget: u64, decoders: u32) -> Self {
        Self {
            start,
            end: start,
            budget: budget - u64::from(decoders),
            prefills: 0,
            reached: 0,
            before: 0,
            preempted: false,
            emitting_at: None,
            decoders,
            other_forwards: 0,
            other_tokens: 0,
            decoder_tokens: 0,
            gaps: 0,
            instant_gaps: 0,
        }
    }

    /// Takes in what was scheduled of a request.
    pub(super) fn add(&mut self, scheduled: Scheduled, costs_prefill: bool) {
        if scheduled.prompt_tokens > 0 && costs_prefill {
            self.prefills += 1;
            self.reached += u64::from(scheduled.before + scheduled.prompt_tokens);
            self.before += u64::from(scheduled.before);
        }
        self.budget -= u64::from(scheduled.tokens);
    }

    /// Takes a preempted request's tokens out again.
    pub(super) fn undo(&mut self, scheduled: Scheduled) {
        self.budget += u64::from(scheduled.tokens);
        if scheduled.prompt_tokens > 0 && self.prefills > 0 {
            self.prefills -= 1;
            self.reached -= u64::from(scheduled.before + scheduled.prompt_tokens);
            self.before -= u64::from(scheduled.before);
        }
    }

    /// Takes a preempted decoder's token out again, if it does not have it yet.
    pub(super) fn decoder_left(&mut self, emitted: bool) {
        if !emitted {
            self.budget += 1;
            self.decoders -= 1;
        }
    }
}

impl State {
    /// Computes one pass; its outcomes are pending then.
    pub(super) fn pass(
        &mut self,
        table: &mut StepTable,
        sink: &mut dyn EngineSink,
    ) -> Result<(), EngineError> {
        let start = self.clock;
        self.next_completion = None;
        let fail = |source: StepTimeError| EngineError::StepTime { at: start, source };
        let budget = self.config.max_batched_tokens.map_or(u64::MAX, u64::from);
        let mut pass = PassState::new(start, budget, self.decoders.len());
        self.schedule_running(&mut pass, sink);
        self.admit(&mut pass, sink);
        let prefill = self.prefill_span(&pass, table).map_err(fail)?;
        let record = self.feeds.passes.then(|| self.record(&pass));
        self.reserve_bursts(&mut pass, sink);
        let decode = self.decode_span(&pass, table).map_err(fail)?;
        pass.end = start + prefill + decode.map_or(SimDuration::ZERO, |timed| timed.span);
        let emitted = self.emit(&mut pass, sink);
        match decode {
            Some(timed) if emitted => self.coverage.add(timed.coverage, timed.span),
            _ => pass.end = start + prefill,
        }
        let stamp = Stamp {
            at: pass.end,
            pass_start: start,
        };
        let length = pass.end - start;
        self.pending
            .begin(stamp, pass.gaps, PassLength::Span(length));
        self.pending.instant_gaps = pass.instant_gaps;
        self.report_changes(start, sink);
        if let Some(record) = record {
            self.report_pass(record, &pass, sink);
        }
        self.clock = pass.end;
        self.decoders.advance(1);
        self.settle(budget);
        self.note_progress(emitted, start)
    }

    fn prefill_span(
        &mut self,
        pass: &PassState,
        table: &mut StepTable,
    ) -> Result<SimDuration, StepTimeError> {
        if pass.prefills == 0 {
            return Ok(SimDuration::ZERO);
        }
        let mean = |sum: u64| (sum / u64::from(pass.prefills)) as u32;
        let timed = table.prefill(PrefillStep {
            batch: pass.prefills,
            isl: mean(pass.reached),
            prefix: mean(pass.before),
        })?;
        self.coverage.add(timed.coverage, timed.span);
        Ok(timed.span)
    }

    /// The decode step; `None` if there is none.
    fn decode_span(
        &mut self,
        pass: &PassState,
        table: &mut StepTable,
    ) -> Result<Option<Timed>, StepTimeError> {
        if self.config.role == Role::Prefill {
            return Ok(None);
        }
        let free_firsts = self.first_tokens_are_free();
        let mut batch = Batch {
            requests: pass.decoders,
            tokens: self.decoders.contexts().sum,
            active_blocks: self.kv.active(),
        };
        let mut firsts = false;
        for running in &self.others {
            let request = &self.requests[running.slot];
            if request.computed < request.len() {
                continue;
            }
            if request.generated == 0 && free_firsts {
                firsts = true;
            } else {
                batch.requests += 1;
                batch.tokens += u64::from(request.len());
            }
        }
        if batch.requests == 0 {
            return Ok(None);
        }
        if firsts {
            batch.active_blocks -= self.held_by_firsts_only();
        }
        table.decode(batch).map(Some)
    }

    /// Active blocks that nobody holds but those who are about to get their first token.
    fn held_by_firsts_only(&mut self) -> u32 {
        let block_tokens = self.config.block_tokens;
        let (requests, others) = (&mut self.requests, &self.others);
        let mut firsts: SmallVec<[u32; 8]> = SmallVec::new();
        firsts.extend(others.iter().map(|running| running.slot).filter(|&slot| {
            let request = &requests[slot];
            request.generated == 0 && request.computed >= request.len()
        }));
        let mut blocks = 0;
        for &slot in &firsts {
            let (sequence, holding) =
                requests[slot].parts(block_tokens, self.config.prefix_caching);
            blocks += self.kv.step_aside(holding, sequence);
        }
        for &slot in &firsts {
            let (sequence, holding) =
                requests[slot].parts(block_tokens, self.config.prefix_caching);
            self.kv.step_back(holding, sequence);
        }
        blocks
    }

    /// Turns the leading others that got a token into decoders.
    fn settle(&mut self, budget: u64) {
        let chance = self.bursts.as_ref().is_some_and(|it| it.fixed().is_none());
        let mut settled = 0;
        for running in &self.others {
            let full = u64::from(self.decoders.len()) >= budget;
            if !running.emitted || full || chance {
                break;
            }
            self.decoders
                .join(running.slot, &mut self.requests[running.slot]);
            settled += 1;
        }
        self.others.drain(..settled);
    }

    /// The metrics of the pass as it was scheduled.
    fn record(&self, pass: &PassState) -> PassRecord {
        let mut record = PassRecord {
            decode_contexts: self.decoders.contexts(),
            ..PassRecord::default()
        };
        debug_assert_eq!(pass.decoders, record.decode_contexts.count);
        for running in &self.others {
            let Some(scheduled) = running.scheduled else {
                continue;
            };
            let request = &self.requests[running.slot];
            if scheduled.prompt_tokens > 0 {
                record
                    .prefill_lengths
                    .add(u64::from(request.prompt.tokens()));
                record.prefill_tokens += u64::from(scheduled.tokens);
                record.prefill_kv_tokens += u64::from(scheduled.before);
            } else {
                record.decode_contexts.add(u64::from(request.len()));
            }
        }
        record
    }

    /// Reports a pass with the queue as it leaves it.
    fn report_pass(&self, record: PassRecord, pass: &PassState, sink: &mut dyn EngineSink) {
        let first = PassRecord {
            decode_tokens: pass.decoder_tokens + pass.other_tokens,
            decode_forwards: u64::from(pass.decoders + pass.other_forwards),
            queued_prefill: self.queue.prefill(),
            queued_decode: self.queue.decode(),
            ..record
        };
        sink.passes(PassRun {
            start: pass.start,
            first,
            durations: PassDurations::Constant {
                each: pass.end - pass.start,
                passes: 1,
            },
        });
    }
}
