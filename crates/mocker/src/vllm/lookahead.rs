//! When the next outcome becomes visible, without running ahead.

use sim_api::{DecodeAxis, Role, StepTimeError, Watch};
use sim_core::{SimDuration, SimTime};

use super::state::State;
use super::step_table::StepTable;

/// Stretches of equal passes looked at; beyond them the bound is lower.
const MOST_STRETCHES: u32 = 64;

impl State {
    /// A lower bound of the next instant at which a watched outcome becomes visible.
    pub(super) fn next_visible(
        &self,
        watch: Watch,
        table: &mut StepTable,
    ) -> Result<Option<SimTime>, StepTimeError> {
        if self.pending.undelivered {
            let watched = match watch {
                Watch::PassEnd => true,
                Watch::FirstTokenOrEnd => self.pending.has_first_token_or_end(),
                Watch::Completion => self.pending.has_completion(),
            };
            if watched {
                return Ok(Some(self.pending.stamp.at));
            }
        }
        if self.has_nothing_to_do() {
            return Ok(None);
        }
        if !self.only_decodes() || self.config.role == Role::Prefill {
            // The coming pass may have anything, even at its start if it has no length.
            return Ok(Some(self.clock));
        }
        let ahead = match watch {
            Watch::PassEnd => 0,
            Watch::FirstTokenOrEnd | Watch::Completion => {
                self.decoders.until_completion().unwrap_or(0)
            }
        };
        self.end_of_decode_after(ahead, table).map(Some)
    }

    /// The end of the decode pass after `ahead` more, or an earlier instant
    /// before which there is no completion.
    fn end_of_decode_after(
        &self,
        ahead: u32,
        table: &mut StepTable,
    ) -> Result<SimTime, StepTimeError> {
        let mut at = self.clock;
        let mut batch = self.batch();
        let mut available = self.kv.available();
        let mut done = 0;
        for _ in 0..MOST_STRETCHES {
            let last = match table.axis() {
                DecodeAxis::ActiveKv => self
                    .decoders
                    .crossings
                    .until_next_after(done)
                    .map_or(ahead, |crossing| crossing.min(ahead)),
                DecodeAxis::Context | DecodeAxis::Both => done,
            };
            let crossing = self.decoders.crossings.count_after(last);
            if crossing > available {
                // Somebody will be preempted: what follows is another matter.
                let before = SimDuration::from_ns(table.decode(batch)?.span.as_ns());
                return Ok(at + before * u64::from(last - done));
            }
            let passes = last - done + 1;
            at += table.decode(batch)?.span * u64::from(passes);
            if last == ahead {
                break;
            }
            batch.active_blocks += crossing;
            batch.tokens += u64::from(batch.requests) * u64::from(passes);
            available -= crossing;
            done += passes;
        }
        Ok(at)
    }
}
