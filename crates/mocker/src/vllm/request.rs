//! Requests of an engine and where they stand.

use sim_api::{Prompt, RequestId};
use sim_core::SimTime;

use super::kv_runs::{Holding, Sequence};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Never admitted.
    Waiting,
    /// Admitted; looked at in every pass.
    Running,
    /// Admitted; gets one token in every pass, which its own numbers do not show.
    Decoding,
    /// Lost its blocks and waits again.
    Preempted,
}

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) prompt: Prompt,
    /// Tokens to generate.
    pub(super) output: u32,
    pub(super) status: Status,
    /// Tokens generated; before pass `joined` while it is decoding.
    pub(super) generated: u32,
    /// Pass since which it is decoding.
    pub(super) joined: u64,
    /// Tokens in KV. Not kept up while it is decoding.
    pub(super) computed: u32,
    /// Tokens whose blocks are held. Not kept up while it is decoding.
    pub(super) allocated: u32,
    pub(super) holding: Holding,
    /// Place among running requests: the number of its latest admission.
    pub(super) order: u64,
    /// When it got its latest token. Not kept up while it is decoding.
    pub(super) last_token: SimTime,
    /// Whether it has been admitted before.
    pub(super) admitted: bool,
    /// Entries in the waiting queue beyond the one that counts.
    pub(super) stale_entries: u32,
}

impl Request {
    pub(super) fn new(id: RequestId, prompt: Prompt, output: u32) -> Self {
        Self {
            id,
            prompt,
            output,
            status: Status::Waiting,
            generated: 0,
            joined: 0,
            computed: 0,
            allocated: 0,
            holding: Holding::new(),
            order: 0,
            last_token: SimTime::ZERO,
            admitted: false,
            stale_entries: 0,
        }
    }

    /// Prompt tokens and generated tokens.
    pub(super) fn len(&self) -> u32 {
        self.prompt.tokens() + self.generated
    }

    /// Its blocks and what it holds of them.
    pub(super) fn parts(
        &mut self,
        block_tokens: u32,
        caching: bool,
    ) -> (Sequence<'_>, &mut Holding) {
        let sequence = sequence(&self.prompt, self.generated, block_tokens, caching);
        (sequence, &mut self.holding)
    }
}

fn sequence(prompt: &Prompt, generated: u32, block_tokens: u32, caching: bool) -> Sequence<'_> {
    if !caching {
        // No block is ever matched: full ones are like partial ones.
        return Sequence {
            runs: &[],
            shared: 0,
            full: 0,
        };
    }
    let in_prompt = prompt.tokens() / block_tokens;
    // The last block counts as full once its successor is begun, not before,
    // unless the prompt ends with it.
    let grown = (prompt.tokens() + generated - 1) / block_tokens;
    Sequence {
        runs: prompt.runs(),
        shared: prompt.full_blocks().min(in_prompt),
        full: in_prompt.max(grown),
    }
}

/// The requests of an engine by slot; slots are used again.
#[derive(Debug, Default)]
pub(super) struct Requests {
    slots: Vec<Option<Request>>,
    unused: Vec<u32>,
}

impl Requests {
    pub(super) fn insert(&mut self, request: Request) -> u32 {
        if let Some(slot) = self.unused.pop() {
            self.slots[slot as usize] = Some(request);
            return slot;
        }
        self.slots.push(Some(request));
        self.slots.len() as u32 - 1
    }

    pub(super) fn remove(&mut self, slot: u32) {
        self.slots[slot as usize] = None;
        self.unused.push(slot);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.slots.iter().flatten()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Request> {
        self.slots.get(slot as usize)?.as_ref()
    }
}

impl std::ops::Index<u32> for Requests {
    type Output = Request;
    fn index(&self, slot: u32) -> &Request {
        self.slots[slot as usize].as_ref().expect("a live request")
    }
}

impl std::ops::IndexMut<u32> for Requests {
    fn index_mut(&mut self, slot: u32) -> &mut Request {
        self.slots[slot as usize].as_mut().expect("a live request")
    }
}
