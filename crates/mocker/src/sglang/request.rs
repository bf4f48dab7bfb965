//! Requests of the SGLang engine.

use std::cmp::Reverse;

use sim_api::{EngineRequest, RequestId};
use sim_core::SimTime;

use super::pages::Pages;
use super::radix_tree::NodeId;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) prompt_tokens: u64,
    pub(super) output_tokens: u32,
    pub(super) generated: u32,
    pub(super) admitted_before: bool,
    /// When it got its latest token.
    pub(super) last_token: Option<SimTime>,
    /// Tokens with slots.
    pub(super) computed: u64,
    /// Leading tokens, whole pages, that are the tree's.
    pub(super) cached: u64,
    /// `computed` rounded up to whole pages: what the request has reserved.
    pub(super) reserved: u64,
    /// End of the cached part; locked while the request holds slots.
    pub(super) node: NodeId,
    /// Whether the pass under way computes prompt tokens of it.
    pub(super) prefilling: bool,
    /// Place in a sorted queue: whether it waits for one like it, cached tokens.
    pub(super) rank: (bool, Reverse<u64>),
    /// The full pages of the prompt.
    prompt: Pages,
}

impl Request {
    pub(super) fn new(request: &EngineRequest, output_tokens: u32, page_tokens: u32) -> Self {
        Self {
            id: request.id,
            prompt_tokens: u64::from(request.prompt.tokens()),
            output_tokens,
            generated: 0,
            admitted_before: false,
            last_token: None,
            computed: 0,
            cached: 0,
            reserved: 0,
            node: NodeId::ROOT,
            prefilling: false,
            rank: (false, Reverse(0)),
            prompt: Pages::of_prompt(&request.prompt)
                .slice(0, u64::from(request.prompt.tokens() / page_tokens)),
        }
    }

    /// Prompt plus generated tokens.
    pub(super) fn len(&self) -> u64 {
        self.prompt_tokens + u64::from(self.generated)
    }

    /// Tokens without slots.
    pub(super) fn missing(&self) -> u64 {
        self.len() - self.computed
    }

    /// Output tokens to come, as far as they are reserved.
    pub(super) fn future(&self, clip: u32) -> u64 {
        u64::from((self.output_tokens - self.generated).min(clip))
    }

    /// Reserved slots that are not used yet.
    pub(super) fn slack(&self) -> u64 {
        self.reserved - self.computed
    }

    /// Slots of its own: those beyond the cached part.
    pub(super) fn own(&self) -> u64 {
        self.computed - self.cached
    }

    /// Pages `from..to` of the sequence.
    pub(super) fn pages(&self, from: u64, to: u64) -> Pages {
        let mut pages = self.prompt.slice(from, to);
        pages.push_own(self.id, from.max(self.prompt.len()), to);
        pages
    }
}
