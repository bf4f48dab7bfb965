//! Prompts from tokens: equal leading blocks are shared.

use std::collections::BTreeMap;

use sim_api::{KvRun, Prompt, SegmentId};

/// Knows which segment every sequence of full blocks ends with.
#[derive(Debug)]
pub(crate) struct Interner {
    block_tokens: u32,
    /// By the tokens of the blocks.
    known: BTreeMap<Vec<u64>, SegmentId>,
    segments: u32,
}

impl Interner {
    pub(crate) fn new(block_tokens: u32) -> Self {
        Self {
            block_tokens,
            known: BTreeMap::new(),
            segments: 0,
        }
    }

    /// The prompt of these tokens.
    pub(crate) fn prompt(&mut self, tokens: &[u64]) -> Prompt {
        let mut runs: Vec<KvRun> = Vec::new();
        let new = SegmentId(self.segments);
        self.segments += 1;
        let block = self.block_tokens as usize;
        for end in (block..=tokens.len()).step_by(block) {
            let segment = *self.known.entry(tokens[..end].to_vec()).or_insert(new);
            match runs.last_mut() {
                Some(run) if run.segment == segment => run.blocks += 1,
                _ => runs.push(KvRun { segment, blocks: 1 }),
            }
        }
        Prompt::new(tokens.len() as u32, runs.into())
    }
}
