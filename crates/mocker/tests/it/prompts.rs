//! Prompts from labels: equal leading labels are shared blocks.

use std::collections::BTreeMap;

use sim_api::{KvRun, Prompt, SegmentId};

/// Knows which segment and block every sequence of labels ends with.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    known: BTreeMap<Vec<u8>, SegmentId>,
    segments: u32,
}

impl Interner {
    /// A prompt of one full block a label and `tail` tokens more (modulo a block).
    pub(crate) fn prompt(&mut self, labels: &[u8], tail: u32, block_tokens: u32) -> Prompt {
        let mut runs: Vec<KvRun> = Vec::new();
        let new = SegmentId(self.segments);
        self.segments += 1;
        for end in 1..=labels.len() {
            let segment = *self.known.entry(labels[..end].to_vec()).or_insert(new);
            match runs.last_mut() {
                Some(run) if run.segment == segment => run.blocks += 1,
                _ => runs.push(KvRun { segment, blocks: 1 }),
            }
        }
        let tokens = labels.len() as u32 * block_tokens + tail % block_tokens;
        Prompt::new(tokens, runs.into())
    }
}
