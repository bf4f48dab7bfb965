//! Prompts as paths of runs of KV blocks.

use std::sync::Arc;

use crate::SegmentId;

/// The first `blocks` blocks of a segment.
///
/// A *segment* is a chain of full KV blocks that appeared with one prompt: the
/// part of that prompt which no earlier prompt had. A segment hangs below a
/// fixed block of another segment (or below nothing), so the pair (segment,
/// index) names a block together with its whole prefix. A path enters every
/// segment at its first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KvRun {
    /// The segment.
    pub segment: SegmentId,
    /// How many of its blocks, from the first; at least 1.
    pub blocks: u32,
}

/// The tokens of a prompt, known only by length and by which full KV blocks it
/// shares with other prompts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    tokens: u32,
    runs: Arc<[KvRun]>,
}

impl Prompt {
    /// A prompt of `tokens` tokens (ISL) whose full blocks are `runs`, from the
    /// first token on. Tokens beyond the last full block are the prompt's own.
    pub fn new(tokens: u32, runs: Arc<[KvRun]>) -> Self {
        Self { tokens, runs }
    }

    /// Input sequence length in tokens.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// The path of its full blocks.
    pub fn runs(&self) -> &[KvRun] {
        &self.runs
    }

    /// The path, shared.
    pub fn shared_runs(&self) -> Arc<[KvRun]> {
        Arc::clone(&self.runs)
    }

    /// How many full blocks it has.
    pub fn full_blocks(&self) -> u32 {
        self.runs.iter().map(|run| run.blocks).sum()
    }

    /// How many leading full blocks two prompts have in common.
    pub fn shared_blocks(&self, other: &Self) -> u32 {
        let mut shared = 0;
        for (one, two) in self.runs.iter().zip(other.runs.iter()) {
            if one.segment != two.segment {
                break;
            }
            shared += one.blocks.min(two.blocks);
            if one.blocks != two.blocks {
                break;
            }
        }
        shared
    }
}
