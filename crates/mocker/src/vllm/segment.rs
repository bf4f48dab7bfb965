//! Segments: stretches of passes in which every request gets its tokens and
//! nothing else happens until the last of them.

use sim_api::{
    DecodeAxis, EngineError, EngineSink, Limit, PassDurations, PassRecord, PassRun, Stamp,
    StepTimeError, TokenGaps,
};
use sim_core::{SimDuration, SimTime};

use super::outcomes::{Outcome, PassLength, tell_instant_gaps};
use super::pass::PassState;
use super::plan::Plan;
use super::state::State;
use super::step_table::{Batch, StepTable, Stretch};

/// How long the passes of a segment are.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    Constant(SimDuration),
    Row { context: u32 },
}

/// Passes of one batch that were started.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: SimTime,
    requests: u32,
    stretch: Stretch,
    lengths: Lengths,
    /// How many of them ended within the limit: all but at most one.
    ended: u32,
    /// Whether something happens in the last of them.
    eventful: bool,
}

impl Segment {
    fn new(
        plan: Plan,
        start: SimTime,
        batch: Batch,
        limit: Limit,
        run: (Stretch, Lengths),
    ) -> Self {
        let (stretch, lengths) = run;
        Self {
            start,
            requests: batch.requests,
            stretch,
            lengths,
            ended: stretch.passes - u32::from(stretch.end > limit.instant()),
            eventful: plan.eventful && stretch.passes == plan.passes,
        }
    }

    /// Passes in which nothing happens.
    fn quiet(&self) -> u32 {
        self.stretch.passes - u32::from(self.eventful)
    }

    fn in_flight(&self) -> bool {
        self.ended < self.stretch.passes
    }

    /// Stamp of the outcomes of the last pass.
    fn stamp(&self) -> Stamp {
        Stamp {
            at: self.stretch.end,
            pass_start: self.stretch.last_start,
        }
    }

    /// Length of the last pass.
    fn last_length(&self) -> PassLength {
        match self.lengths {
            Lengths::Constant(span) => PassLength::Span(span),
            Lengths::Row { context } => PassLength::Row {
                batch: self.requests,
                context: context + self.stretch.passes - 1,
            },
        }
    }

    /// The lengths of the first `passes` passes.
    fn durations<'a>(&self, passes: u32, table: &'a mut StepTable) -> PassDurations<'a> {
        match self.lengths {
            Lengths::Constant(each) => PassDurations::Constant { each, passes },
            Lengths::Row { context } => PassDurations::Row {
                key: u64::from(self.requests),
                first: context,
                values: table.values(self.requests, context, passes),
            },
        }
    }
}

impl State {
    /// Runs passes that give every decoder its tokens, as far as `limit` admits,
    /// up to the next completion or change of the step time. Returns false if the
    /// coming pass is none of these.
    pub(super) fn run_segment(
        &mut self,
        limit: Limit,
        table: &mut StepTable,
        sink: &mut dyn EngineSink,
    ) -> Result<bool, EngineError> {
        let Some(plan) = self.plan(table.axis()) else {
            return Ok(false);
        };
        let (start, batch) = (self.clock, self.batch());
        let run = self
            .stretch(batch, plan.passes, limit, table)
            .map_err(|source: StepTimeError| EngineError::StepTime { at: start, source })?;
        let segment = Segment::new(plan, start, batch, limit, run);
        if self.feeds.passes {
            self.report_passes(&segment, table, sink);
        }
        if segment.ended > 0 {
            sink.gaps(TokenGaps {
                start,
                requests: segment.requests,
                durations: segment.durations(segment.ended, table),
            });
        }
        if segment.quiet() > 0 {
            self.run_quietly(&segment, table, sink);
        }
        if segment.eventful || segment.in_flight() {
            self.finish(&segment, sink);
        }
        if segment.ended > 0 {
            self.last_end = Some(if segment.in_flight() {
                segment.stretch.last_start
            } else {
                segment.stretch.end
            });
        }
        self.clock = segment.stretch.end;
        self.barren_passes = 0;
        Ok(true)
    }

    /// The decoders as the coming pass finds them.
    pub(super) fn batch(&self) -> Batch {
        Batch {
            requests: self.decoders.len(),
            tokens: self.decoders.contexts().sum,
            active_blocks: self.kv.active(),
        }
    }

    /// Starts passes of a batch.
    fn stretch(
        &mut self,
        batch: Batch,
        most: u32,
        limit: Limit,
        table: &mut StepTable,
    ) -> Result<(Stretch, Lengths), StepTimeError> {
        if table.axis() == DecodeAxis::Context && self.decoders.burst() == 1 {
            let stretch = table.run(batch, most, self.clock, limit, &mut self.coverage)?;
            let context = batch.context();
            return Ok((stretch, Lengths::Row { context }));
        }
        let timed = table.decode(batch)?;
        let stretch = constant_stretch(self.clock, timed.span, most, limit);
        self.coverage
            .add(timed.coverage, timed.span * u64::from(stretch.passes));
        Ok((stretch, Lengths::Constant(timed.span)))
    }

    /// Does the passes of a segment in which nothing happens.
    fn run_quietly(&mut self, segment: &Segment, table: &mut StepTable, sink: &mut dyn EngineSink) {
        let (passes, burst) = (segment.quiet(), self.decoders.burst());
        let crossing = self.decoders.crossings.count_within(passes * burst);
        if crossing > 0 {
            self.kv.grow(crossing as u32);
        }
        if !self.decoders.fresh.is_empty() {
            let stamp = Stamp {
                at: segment.start + segment.durations(1, table).total(),
                pass_start: segment.start,
            };
            for &slot in &self.decoders.fresh {
                let id = self.requests[slot].id;
                if segment.ended > 0 {
                    sink.second_token(stamp, id);
                } else {
                    self.pending.outcomes.push(Outcome::SecondToken(id));
                }
            }
        }
        if burst > 1 {
            let ended = u64::from(passes.min(segment.ended));
            let gaps = u64::from(segment.requests) * u64::from(burst - 1) * ended;
            tell_instant_gaps(segment.start, gaps, sink);
        }
        self.decoders.advance(passes);
    }

    /// Sets down the outcomes of the last pass of a segment.
    fn finish(&mut self, segment: &Segment, sink: &mut dyn EngineSink) {
        let burst = self.decoders.burst();
        let requests = segment.requests;
        let gaps = if segment.in_flight() { requests } else { 0 };
        self.pending
            .begin(segment.stamp(), gaps, segment.last_length());
        if !segment.eventful {
            self.pending.instant_gaps = u64::from(requests) * u64::from(burst - 1);
            return;
        }
        let last_start = segment.stretch.last_start;
        let mut pass = PassState::new(last_start, u64::MAX, requests);
        pass.end = segment.stretch.end;
        self.emit_to_decoders(&mut pass, sink);
        self.pending.instant_gaps = pass.instant_gaps;
        self.report_changes(last_start, sink);
        self.decoders.advance(1);
    }

    fn report_passes(&self, segment: &Segment, table: &mut StepTable, sink: &mut dyn EngineSink) {
        let contexts = self.decoders.contexts();
        sink.passes(PassRun {
            start: segment.start,
            first: PassRecord {
                decode_contexts: contexts,
                queued_prefill: self.queue.prefill(),
                queued_decode: self.queue.decode(),
                decode_tokens: self.tokens_of_decoders(),
                decode_forwards: u64::from(contexts.count),
                ..PassRecord::default()
            },
            durations: segment.durations(segment.stretch.passes, table),
        });
    }
}

/// Starts passes of one length, as `limit` admits, until one of them ends after
/// the limit's instant or `most` are started. At least one is admitted.
pub(super) fn constant_stretch(
    start: SimTime,
    each: SimDuration,
    most: u32,
    limit: Limit,
) -> Stretch {
    let (first, step) = (start.as_ns(), each.as_ns());
    let room = limit.instant().saturating_since(start).as_ns();
    let whole = u64::from(most)
        .checked_mul(step)
        .is_some_and(|total| total <= room);
    let passes = if whole {
        u64::from(most)
    } else {
        // A pass that starts at the instant itself is in flight after it, if admitted.
        let ended = room / step;
        let on_the_instant = room.is_multiple_of(step);
        let started = match limit {
            Limit::Before(_) if on_the_instant => ended,
            _ => ended + 1,
        };
        started.min(u64::from(most))
    };
    let last_start = SimTime::from_ns(first + (passes - 1) * step);
    Stretch {
        passes: passes as u32,
        last_start,
        end: last_start + each,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_division_finds_what_a_loop_finds(
            start in 0_u64..50,
            each in 0_u64..9,
            most in 1_u32..40,
            room in 0_u64..100,
            before: bool,
        ) {
            let at = SimTime::from_ns(start + room);
            let limit = if before { Limit::Before(at) } else { Limit::Through(at) };
            let start = SimTime::from_ns(start);
            prop_assume!(limit.admits(start));
            let mut expected = Stretch { passes: 0, last_start: start, end: start };
            while expected.passes < most && limit.admits(expected.end) && expected.end <= at {
                expected.last_start = expected.end;
                expected.end += SimDuration::from_ns(each);
                expected.passes += 1;
            }
            let found = constant_stretch(start, SimDuration::from_ns(each), most, limit);
            prop_assert_eq!(
                (found.passes, found.last_start, found.end),
                (expected.passes, expected.last_start, expected.end)
            );
        }
    }
}
