//! When the next outcome becomes visible, without running ahead.

use sim_api::{DecodeAxis, Role, StepTimeError, Watch};
use sim_core::SimTime;

use super::bursts::Bursts;
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
        // Blocks reserved at the cost of cached ones may let a waiting prompt in.
        let harmless = self.bursts.is_none() || self.queue.is_empty() || !self.has_seat();
        let available = if harmless {
            self.kv.available()
        } else {
            self.kv.free()
        };
        let burst = self.decoders.burst();
        // Tokens for which a pass needs blocks before it starts.
        let longest = self.bursts.as_ref().map_or(burst, Bursts::longest);
        let crossings = &self.decoders.crossings;
        let (mut done, mut begun) = (0, 0);
        for _ in 0..MOST_STRETCHES {
            let last = match table.axis() {
                DecodeAxis::ActiveKv => crossings
                    .until_next_after(done * burst)
                    .map_or(ahead, |crossing| (crossing / burst).min(ahead)),
                DecodeAxis::Context | DecodeAxis::Both => done,
            };
            let wanted = last * burst + longest;
            let had = crossings.tokens_within(available, wanted);
            if had < wanted {
                // A pass comes before which somebody may be preempted or let in:
                // what follows is another matter.
                let scarce = had.checked_sub(longest).map_or(0, |had| had / burst + 1);
                let quiet = u64::from(scarce.saturating_sub(done));
                return Ok(at + table.decode(batch)?.span * quiet);
            }
            let passes = last - done + 1;
            at += table.decode(batch)?.span * u64::from(passes);
            if last == ahead {
                break;
            }
            done += passes;
            let before = std::mem::replace(&mut begun, crossings.count_within(done * burst));
            batch.active_blocks += (begun - before) as u32;
            batch.tokens += u64::from(batch.requests) * u64::from(passes * burst);
        }
        Ok(at)
    }
}
