//! Prompts from tokens, for tests: which full blocks they share is found out
//! by comparing tokens, block by block from the first.

use std::collections::BTreeMap;

use sim_api::{KvRun, Prompt, SegmentId};

/// (segment, index) of a block.
type Place = (u32, u32);

/// Remembers every block seen, each by the block before it and its tokens.
pub(crate) struct Interner {
    block_tokens: usize,
    known: BTreeMap<(Option<Place>, Vec<u64>), Place>,
    segments: u32,
}

impl Interner {
    pub(crate) fn new(block_tokens: u32) -> Self {
        Self {
            block_tokens: block_tokens as usize,
            known: BTreeMap::new(),
            segments: 0,
        }
    }

    pub(crate) fn prompt(&mut self, tokens: &[u64]) -> Prompt {
        let fresh = self.segments;
        let mut fresh_blocks = 0;
        let mut before: Option<Place> = None;
        let mut runs: Vec<KvRun> = Vec::new();
        for block in tokens.chunks_exact(self.block_tokens) {
            let place = *self
                .known
                .entry((before, block.to_vec()))
                .or_insert_with(|| {
                    fresh_blocks += 1;
                    (fresh, fresh_blocks - 1)
                });
            before = Some(place);
            let (segment, blocks) = (SegmentId(place.0), place.1 + 1);
            match runs.last_mut() {
                Some(run) if run.segment == segment => run.blocks = blocks,
                _ => runs.push(KvRun { segment, blocks }),
            }
        }
        self.segments += u32::from(fresh_blocks > 0);
        Prompt::new(tokens.len() as u32, runs.into())
    }
}
