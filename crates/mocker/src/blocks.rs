//! Identities of KV blocks, and the report of which come and go.
//!
//! Shared by the engines that count block by block.

use sim_api::{KvChange, KvRun, Prompt, RequestId, SegmentId};

/// Where a block's tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Chain {
    /// A prompt: the block may be shared.
    Segment(SegmentId),
    /// Generated tokens, or a prompt's end: the block is one request's own.
    Request(RequestId),
}

/// The identity of a full block together with its whole prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId {
    pub(crate) chain: Chain,
    /// Which block of the chain; for a request's own, of its sequence.
    pub(crate) index: u32,
}

/// The blocks of a sequence that begins with a prompt.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    request: RequestId,
    prompt: Vec<BlockId>,
}

impl Sequence {
    /// The sequence of a request, in blocks of `block_tokens` tokens.
    pub(crate) fn new(request: RequestId, prompt: &Prompt, block_tokens: u32) -> Self {
        let full = (prompt.tokens() / block_tokens) as usize;
        Self {
            request,
            prompt: prompt_blocks(prompt).take(full).collect(),
        }
    }

    /// Identity of block `index`.
    pub(crate) fn block(&self, index: u32) -> BlockId {
        self.prompt.get(index as usize).copied().unwrap_or(BlockId {
            chain: Chain::Request(self.request),
            index,
        })
    }
}

/// The full blocks of a prompt, first to last.
pub(crate) fn prompt_blocks(prompt: &Prompt) -> impl Iterator<Item = BlockId> {
    prompt.runs().iter().flat_map(|run| {
        let chain = Chain::Segment(run.segment);
        (0..run.blocks).map(move |index| BlockId { chain, index })
    })
}

/// Changes of the resident prompt blocks, joined to runs where they adjoin.
#[derive(Clone, Debug, Default)]
pub(crate) struct KvChanges(Vec<KvChange>);

impl KvChanges {
    /// Changes since the last call.
    pub(crate) fn take(&mut self) -> Vec<KvChange> {
        std::mem::take(&mut self.0)
    }

    /// A block has become resident; those before it are.
    pub(crate) fn stored(&mut self, block: BlockId) {
        let Chain::Segment(segment) = block.chain else {
            return;
        };
        let stored = KvRun {
            segment,
            blocks: block.index + 1,
        };
        match self.0.last_mut() {
            Some(KvChange::Stored { run }) if run.segment == segment => *run = stored,
            _ => self.0.push(KvChange::Stored { run: stored }),
        }
    }

    /// The blocks of a chain from `from` on are gone; there were `end`.
    pub(crate) fn removed(&mut self, chain: Chain, from: u32, end: u32) {
        let Chain::Segment(segment) = chain else {
            return;
        };
        match self.0.last_mut() {
            Some(KvChange::Removed { run, keep }) if run.segment == segment => *keep = from,
            _ => self.0.push(KvChange::Removed {
                run: KvRun {
                    segment,
                    blocks: end,
                },
                keep: from,
            }),
        }
    }
}
