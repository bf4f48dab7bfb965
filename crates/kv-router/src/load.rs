//! What the router believes of a worker's load.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{KvRun, Prompt, RequestId, SegmentId};
use sim_core::{SimDuration, SimTime};

use crate::prefill_queue::PrefillQueue;

/// The requests of one worker: blocks of running prompts, and prompt tokens to
/// be computed. Costs O(runs) a request.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    /// Per segment, how many requests hold how many of its first blocks.
    held: HashMap<SegmentId, Vec<(u32, u32)>, FxBuildHasher>,
    /// Distinct blocks held, plus those of requests that share nothing.
    blocks: u64,
    prefills: PrefillQueue<RequestId>,
}

impl WorkerState {
    /// Blocks that would be in use with `prompt` on this worker, if shared
    /// prefixes count once.
    pub(crate) fn blocks_with(&self, prompt: &Prompt, shared: bool) -> u64 {
        let own = u64::from(prompt.full_blocks());
        let common = if shared {
            self.live_prefix(prompt.runs())
        } else {
            0
        };
        self.blocks + own - common
    }

    fn live_prefix(&self, path: &[KvRun]) -> u64 {
        let mut live = 0;
        for run in path {
            let held = self.most(run.segment).min(run.blocks);
            live += u64::from(held);
            if held < run.blocks {
                break;
            }
        }
        live
    }

    fn most(&self, segment: SegmentId) -> u32 {
        let holders = self.held.get(&segment).map_or(&[][..], Vec::as_slice);
        holders.iter().map(|&(blocks, _)| blocks).max().unwrap_or(0)
    }

    pub(crate) fn add_blocks(&mut self, prompt: &Prompt, shared: bool) {
        if !shared {
            self.blocks += u64::from(prompt.full_blocks());
            return;
        }
        for run in prompt.runs() {
            let before = self.most(run.segment);
            let holders = self.held.entry(run.segment).or_default();
            match holders.iter_mut().find(|holder| holder.0 == run.blocks) {
                Some(holder) => holder.1 += 1,
                None => holders.push((run.blocks, 1)),
            }
            self.blocks += u64::from(run.blocks.saturating_sub(before));
        }
    }

    pub(crate) fn remove_blocks(&mut self, prompt: &Prompt, shared: bool) {
        if !shared {
            self.blocks -= u64::from(prompt.full_blocks());
            return;
        }
        for run in prompt.runs() {
            let before = self.most(run.segment);
            if let Some(holders) = self.held.get_mut(&run.segment) {
                if let Some(at) = holders.iter().position(|holder| holder.0 == run.blocks) {
                    holders[at].1 -= 1;
                    if holders[at].1 == 0 {
                        holders.swap_remove(at);
                    }
                }
                if holders.is_empty() {
                    self.held.remove(&run.segment);
                }
            }
            self.blocks -= u64::from(before - self.most(run.segment));
        }
    }

    pub(crate) fn add_prefill(
        &mut self,
        now: SimTime,
        request: RequestId,
        tokens: u64,
        expected: Option<SimDuration>,
    ) {
        self.prefills.add(now, request, tokens, expected);
    }

    /// The prompt is computed, or the request gone.
    pub(crate) fn end_prefill(&mut self, now: SimTime, request: RequestId) {
        self.prefills.end(now, request);
    }

    /// Prompt tokens to be computed; the first prefill shrinks as time passes
    /// where its time is known.
    pub(crate) fn prefill_tokens(&self, now: SimTime) -> u64 {
        self.prefills.tokens(now)
    }

    /// Whether nothing is left of any request.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks == 0 && self.held.is_empty() && self.prefills.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_first_prefill_decays_and_the_next_waits_its_turn() {
        let second = |s: u64| SimTime::from_ns(s * 1_000_000_000);
        let span = |s: u64| Some(SimDuration::from_ns(s * 1_000_000_000));
        let mut state = WorkerState::default();
        state.add_prefill(second(0), RequestId(1), 100, span(10));
        state.add_prefill(second(2), RequestId(2), 60, span(6));
        for (at, tokens) in [(2, 140), (5, 110), (10, 60), (20, 60)] {
            assert_eq!(state.prefill_tokens(second(at)), tokens, "at {at}");
        }
        state.end_prefill(second(20), RequestId(1));
        for (at, tokens) in [(20, 60), (23, 30), (26, 0)] {
            assert_eq!(state.prefill_tokens(second(at)), tokens, "at {at}");
        }
    }

    fn prompts() -> impl Strategy<Value = Vec<Prompt>> {
        // Segment 0 is the root, 1 and 2 hang below its fourth block.
        let path = (1_u32..6, 0_u32..3, 1_u32..4).prop_map(|(root, child, blocks)| {
            let run = |segment, blocks| KvRun {
                segment: SegmentId(segment),
                blocks,
            };
            let runs = if child > 0 && root >= 4 {
                vec![run(0, 4), run(child, blocks)]
            } else {
                vec![run(0, root)]
            };
            Prompt::new(100, runs.into())
        });
        prop::collection::vec(path, 1..12)
    }

    proptest! {
        #[test]
        fn shared_blocks_count_once_and_a_full_drain_leaves_nothing(prompts in prompts()) {
            let mut state = WorkerState::default();
            let distinct = |prompts: &[Prompt]| {
                let blocks: BTreeSet<(u32, u32)> = prompts
                    .iter()
                    .flat_map(|prompt| prompt.runs().to_vec())
                    .flat_map(|run| (0..run.blocks).map(move |block| (run.segment.0, block)))
                    .collect();
                blocks.len() as u64
            };
            for (index, prompt) in prompts.iter().enumerate() {
                let with = state.blocks_with(prompt, true);
                state.add_blocks(prompt, true);
                prop_assert_eq!(state.blocks, with);
                prop_assert_eq!(state.blocks, distinct(&prompts[..=index]));
            }
            for (index, prompt) in prompts.iter().enumerate() {
                state.remove_blocks(prompt, true);
                prop_assert_eq!(state.blocks, distinct(&prompts[index + 1..]));
            }
            prop_assert!(state.is_empty());
        }
    }
}
