//! Requests of the literal engine and the blocks of their sequences.

use sim_api::{EngineRequest, RequestId};
use sim_core::SimTime;

use crate::blocks::{BlockId, Sequence};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Never admitted.
    Waiting,
    /// Admitted.
    Running,
    /// Lost its blocks and waits again.
    Preempted,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) prompt_tokens: u64,
    pub(super) output_tokens: u32,
    pub(super) generated: u32,
    pub(super) status: Status,
    pub(super) admitted_before: bool,
    /// Tokens with KV.
    pub(super) computed: u64,
    /// Tokens whose blocks are held.
    pub(super) alloc: u64,
    /// Leading blocks of the sequence that are full. A block that is exactly
    /// full with generated tokens counts only once the next token comes.
    pub(super) full: u32,
    /// When it got its latest token.
    pub(super) last_token: Option<SimTime>,
    sequence: Sequence,
}

impl Request {
    pub(super) fn new(request: &EngineRequest, output_tokens: u32, block_tokens: u32) -> Self {
        Self {
            id: request.id,
            prompt_tokens: u64::from(request.prompt.tokens()),
            output_tokens,
            generated: 0,
            status: Status::Waiting,
            admitted_before: false,
            computed: 0,
            alloc: 0,
            full: request.prompt.tokens() / block_tokens,
            last_token: None,
            sequence: Sequence::new(request.id, &request.prompt, block_tokens),
        }
    }

    /// Prompt plus generated tokens.
    pub(super) fn len(&self) -> u64 {
        self.prompt_tokens + u64::from(self.generated)
    }

    /// Whether all its tokens have KV and more are to come.
    pub(super) fn is_ready(&self) -> bool {
        self.computed >= self.len() && self.generated < self.output_tokens
    }

    /// Tokens still to generate.
    pub(super) fn remaining(&self) -> u32 {
        self.output_tokens - self.generated
    }

    /// Identity of block `index` of the sequence.
    pub(super) fn block(&self, index: u32) -> BlockId {
        self.sequence.block(index)
    }

    /// Identity of the block before block `index`.
    pub(super) fn parent(&self, index: u32) -> Option<BlockId> {
        index.checked_sub(1).map(|before| self.block(before))
    }
}
