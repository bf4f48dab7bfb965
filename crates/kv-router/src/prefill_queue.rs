//! Prompts that one worker has yet to compute, in order of arrival; the first
//! shrinks as time passes where its time is known.

use std::collections::VecDeque;

use sim_core::{SimDuration, SimTime};

/// A prompt that is not computed yet.
#[derive(Clone, Copy, Debug)]
struct Prefill<R> {
    request: R,
    tokens: u64,
    /// How long it should take; `None` if unknown.
    expected: Option<SimDuration>,
}

/// The pending prompts of one worker. Ending one costs its place in the queue.
#[derive(Debug)]
pub(crate) struct PrefillQueue<R> {
    prefills: VecDeque<Prefill<R>>,
    tokens: u64,
    /// Since when the first prefill is the first.
    anchor: SimTime,
}

impl<R> Default for PrefillQueue<R> {
    fn default() -> Self {
        Self {
            prefills: VecDeque::new(),
            tokens: 0,
            anchor: SimTime::default(),
        }
    }
}

impl<R: Copy + PartialEq> PrefillQueue<R> {
    /// Appends a prompt; one without tokens leaves no trace.
    pub(crate) fn add(
        &mut self,
        now: SimTime,
        request: R,
        tokens: u64,
        expected: Option<SimDuration>,
    ) {
        if tokens == 0 {
            return;
        }
        if self.prefills.is_empty() {
            self.anchor = now;
        }
        self.tokens += tokens;
        self.prefills.push_back(Prefill {
            request,
            tokens,
            expected,
        });
    }

    /// The prompt is computed, or the request gone.
    pub(crate) fn end(&mut self, now: SimTime, request: R) {
        let Some(at) = self.prefills.iter().position(|one| one.request == request) else {
            return;
        };
        if at == 0 {
            self.anchor = now;
        }
        if let Some(ended) = self.prefills.remove(at) {
            self.tokens -= ended.tokens;
        }
    }

    /// Prompt tokens to be computed.
    pub(crate) fn tokens(&self, now: SimTime) -> u64 {
        let Some(first) = self.prefills.front() else {
            return 0;
        };
        let Some(expected) = first.expected else {
            return self.tokens;
        };
        let left = if expected.is_zero() {
            0.0
        } else {
            let elapsed = now.saturating_since(self.anchor).as_ns() as f64;
            (1.0 - elapsed / expected.as_ns() as f64).clamp(0.0, 1.0)
        };
        self.tokens - first.tokens + (first.tokens as f64 * left).ceil() as u64
    }

    /// Whether no prompt is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.prefills.is_empty()
    }
}
