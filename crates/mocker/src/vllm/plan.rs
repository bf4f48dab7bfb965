//! How far a segment may go: up to the next completion, and no further than the
//! step time, the cache or what is reported stay as they are.

use sim_api::{DecodeAxis, Role};

use super::bursts::Bursts;
use super::state::State;

/// Where a segment ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Passes at most; at least 1.
    pub(super) passes: u32,
    /// Whether something happens in the last of these.
    pub(super) eventful: bool,
}

impl State {
    /// How far the next segment can go.
    pub(super) fn plan(&mut self, axis: DecodeAxis) -> Option<Plan> {
        if !self.only_decodes() || self.config.role == Role::Prefill {
            return None;
        }
        let completion = self.decoders.until_completion()?;
        if let Some(longest) = self.bursts.as_ref().map(Bursts::longest) {
            return self.plan_bursts(axis, completion, longest);
        }
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

    /// As [`Self::plan`], with blocks reserved for the longest bursts before every pass.
    fn plan_bursts(&mut self, axis: DecodeAxis, completion: u32, longest: u32) -> Option<Plan> {
        let burst = self.decoders.burst();
        let crossings = &self.decoders.crossings;
        let last = match axis {
            // A row holds every context, bursts of several tokens skip some; and
            // metrics of a run of passes say that each context grows by one.
            _ if burst > 1 && self.feeds.passes => 0,
            DecodeAxis::Context if burst == 1 => completion,
            DecodeAxis::ActiveKv => completion.min(crossings.until_next()? / burst),
            DecodeAxis::Context | DecodeAxis::Both => 0,
        };
        let (free, most) = (self.kv.free(), last * burst + longest);
        let quiet = crossings.tokens_within(free, most);
        if quiet < longest {
            // The blocks reserved for this pass are not free yet.
            let blocks = self.blocks_of_decoders(longest);
            return self.reserve(blocks).then_some(Plan {
                passes: 1,
                eventful: true,
            });
        }
        let last = last.min((quiet - longest) / burst);
        let crossing = crossings.count_within((last + 1) * burst);
        Some(Plan {
            passes: last + 1,
            eventful: crossing > 0 || completion == last,
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
}
