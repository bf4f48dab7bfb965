//! Segments: stretches of passes in which every request gets one token and
//! nothing else happens until the last of them.

use sim_api::{
    DecodeAxis, EngineError, EngineSink, Limit, PassDurations, PassRecord, PassRun, Role, Stamp,
    StepTimeError, TokenGaps,
};
use sim_core::{SimDuration, SimTime};

use super::outcomes::{Outcome, PassLength};
use super::pass::PassState;
use super::state::State;
use super::step_table::{Batch, StepTable, Stretch};

/// Where a segment ends.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// Passes at most.
    passes: u32,
    /// Whether something happens in the last of these.
    eventful: bool,
}

/// How long its passes are.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    Constant(SimDuration),
    Row { context: u32 },
}

impl State {
    /// Runs passes that give every decoder one token, as far as `limit` admits,
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
        let start = self.clock;
        let batch = self.batch();
        let (stretch, lengths) = self
            .stretch(batch, plan.passes, limit, table)
            .map_err(|source: StepTimeError| EngineError::StepTime { at: start, source })?;
        if self.feeds.passes {
            let durations = durations(lengths, batch.requests, stretch.passes, table);
            self.report_passes(start, durations, sink);
        }
        let ended = stretch.passes - u32::from(stretch.end > limit.instant());
        if ended > 0 {
            sink.gaps(TokenGaps {
                start,
                requests: batch.requests,
                durations: durations(lengths, batch.requests, ended, table),
            });
        }
        let eventful = plan.eventful && stretch.passes == plan.passes;
        let quiet = stretch.passes - u32::from(eventful);
        if quiet > 0 {
            self.run_quietly(
                quiet,
                start,
                lengths,
                batch.requests,
                ended > 0,
                table,
                sink,
            );
        }
        let stamp = Stamp {
            at: stretch.end,
            pass_start: stretch.last_start,
        };
        let pending_gaps = if ended < stretch.passes {
            batch.requests
        } else {
            0
        };
        if eventful || pending_gaps > 0 {
            let length = match lengths {
                Lengths::Constant(span) => PassLength::Span(span),
                Lengths::Row { context } => PassLength::Row {
                    batch: batch.requests,
                    context: context + stretch.passes - 1,
                },
            };
            self.pending.begin(stamp, pending_gaps, length);
        }
        if eventful {
            let mut pass = PassState::new(stretch.last_start, u64::MAX, batch.requests);
            pass.end = stretch.end;
            self.emit_to_decoders(&mut pass, sink);
            self.report_changes(stretch.last_start, sink);
            self.decoders.advance(1);
        }
        if ended > 0 {
            self.last_end = Some(if ended == stretch.passes {
                stretch.end
            } else {
                stretch.last_start
            });
        }
        self.clock = stretch.end;
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

    /// How far the next segment can go.
    fn plan(&self, axis: DecodeAxis) -> Option<Plan> {
        if !self.only_decodes() || self.config.role == Role::Prefill {
            return None;
        }
        let completion = self.decoders.until_completion()?;
        let last = match axis {
            DecodeAxis::Context if self.crossings_are_quiet(completion) => completion,
            DecodeAxis::Context | DecodeAxis::ActiveKv => {
                completion.min(self.decoders.crossings.until_next()?)
            }
            DecodeAxis::Both => 0,
        };
        // Without enough blocks the pass that wants them is not for a segment.
        let crossing = self.decoders.crossings.count_after(last);
        if crossing > self.kv.available() {
            return (last > 0).then_some(Plan {
                passes: last,
                eventful: false,
            });
        }
        Some(Plan {
            passes: last.saturating_add(1),
            eventful: crossing > 0 || completion == last || last == 0,
        })
    }

    /// Whether all blocks begun in the coming `passes` passes and the one after
    /// can be had, and nobody needs to know when.
    fn crossings_are_quiet(&self, passes: u32) -> bool {
        let wanted = self
            .decoders
            .crossings
            .count_within(passes.saturating_add(1));
        let had = if self.feeds.kv {
            self.kv.free()
        } else {
            self.kv.available()
        };
        wanted <= u64::from(had)
    }

    /// Starts passes of a batch.
    fn stretch(
        &mut self,
        batch: Batch,
        most: u32,
        limit: Limit,
        table: &mut StepTable,
    ) -> Result<(Stretch, Lengths), StepTimeError> {
        if table.axis() == DecodeAxis::Context {
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

    /// Does `passes` passes in which nobody completes.
    fn run_quietly(
        &mut self,
        passes: u32,
        start: SimTime,
        lengths: Lengths,
        batch: u32,
        first_ended: bool,
        table: &mut StepTable,
        sink: &mut dyn EngineSink,
    ) {
        let crossing = self.decoders.crossings.count_within(passes);
        if crossing > 0 {
            self.kv.grow(crossing as u32);
        }
        if !self.decoders.fresh.is_empty() {
            let first = durations(lengths, batch, 1, table).total();
            let stamp = Stamp {
                at: start + first,
                pass_start: start,
            };
            for &slot in &self.decoders.fresh {
                let id = self.requests[slot].id;
                if first_ended {
                    sink.second_token(stamp, id);
                } else {
                    self.pending.outcomes.push(Outcome::SecondToken(id));
                }
            }
        }
        self.decoders.advance(passes);
    }

    fn report_passes(
        &self,
        start: SimTime,
        durations: PassDurations<'_>,
        sink: &mut dyn EngineSink,
    ) {
        let contexts = self.decoders.contexts();
        sink.passes(PassRun {
            start,
            first: PassRecord {
                decode_contexts: contexts,
                queued_prefill: self.queue.prefill(),
                queued_decode: self.queue.decode(),
                decode_tokens: u64::from(contexts.count),
                decode_forwards: u64::from(contexts.count),
                ..PassRecord::default()
            },
            durations,
        });
    }
}

fn durations(
    lengths: Lengths,
    batch: u32,
    passes: u32,
    table: &mut StepTable,
) -> PassDurations<'_> {
    match lengths {
        Lengths::Constant(each) => PassDurations::Constant { each, passes },
        Lengths::Row { context } => PassDurations::Row {
            key: u64::from(batch),
            first: context,
            values: table.values(batch, context, passes),
        },
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
