//! When the next outcome becomes visible, without running ahead.

use sim_api::{DecodeAxis, Role, StepTimeError, Watch};
use sim_core::SimTime;

use super::bursts::Bursts;
use super::state::State;
use super::step_table::StepTable;

/// Stretches of equal passes looked at; beyond them the bound is lower.
const MOST_STRETCHES: u32 = 32;

impl State {
    /// A lower bound of the next instant at which a watched outcome becomes visible.
    pub(super) fn next_visible(
        &mut self,
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
        if watch == Watch::PassEnd {
            return self.end_of_decode_after(0, table).map(|end| Some(end.at));
        }
        if self.next_completion.is_some() {
            return Ok(self.next_completion);
        }
        let ahead = self.decoders.until_completion().unwrap_or(0);
        let end = self.end_of_decode_after(ahead, table)?;
        if end.exact {
            self.next_completion = Some(end.at);
        }
        Ok(Some(end.at))
    }

    /// The end of the decode pass after `ahead` more.
    fn end_of_decode_after(&self, ahead: u32, table: &mut StepTable) -> Result<End, StepTimeError> {
        let mut at = self.clock;
        let mut batch = self.batch();
        let burst = self.decoders.burst();
        let crossings = &self.decoders.crossings;
        let (mut done, mut begun) = (0, 0);
        for _ in 0..MOST_STRETCHES {
            let most = match table.axis() {
                DecodeAxis::ActiveKv => crossings
                    .until_next_after(done * burst)
                    .map_or(ahead, |crossing| (crossing / burst).min(ahead))
                    .saturating_sub(done)
                    .saturating_add(1),
                DecodeAxis::Context if burst == 1 => ahead - done + 1,
                DecodeAxis::Context | DecodeAxis::Both => 1,
            };
            let most = most.min(self.undisturbed_passes(done + most) - done);
            if most == 0 {
                break;
            }
            let (passes, end) = table.decodes(batch, most, burst, at)?;
            at = end;
            done += passes;
            if done > ahead {
                return Ok(End { at, exact: true });
            }
            let before = std::mem::replace(&mut begun, crossings.count_within(done * burst));
            batch.active_blocks += (begun - before) as u32;
            batch.tokens += u64::from(batch.requests) * u64::from(passes * burst);
        }
        Ok(End { at, exact: false })
    }

    /// How many of the coming `passes` passes there are before one for which
    /// somebody may be preempted or let in.
    fn undisturbed_passes(&self, passes: u32) -> u32 {
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
        let wanted = (passes - 1) * burst + longest;
        let had = self.decoders.crossings.tokens_within(available, wanted);
        had.checked_sub(longest).map_or(0, |had| had / burst + 1)
    }
}

/// Until when decode passes were followed.
struct End {
    at: SimTime,
    /// Whether these were all; if not, what was looked for comes later.
    exact: bool,
}
