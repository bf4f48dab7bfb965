//! The waiting requests, and the metrics of them.

use std::collections::VecDeque;

use sim_api::Spread;

use super::request::Request;

/// The queue. Counts its requests as they come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    requests: VecDeque<Request>,
    new_prompts: Spread,
    retracted_contexts: Spread,
}

impl Queue {
    /// Prompt lengths of the requests that have no token yet.
    pub(super) fn new_prompts(&self) -> Spread {
        self.new_prompts
    }

    /// Contexts of the others.
    pub(super) fn retracted_contexts(&self) -> Spread {
        self.retracted_contexts
    }

    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }

    pub(super) fn front(&self) -> Option<&Request> {
        self.requests.front()
    }

    pub(super) fn push_back(&mut self, request: Request) {
        self.count(&request, Spread::add);
        self.requests.push_back(request);
    }

    pub(super) fn push_front(&mut self, request: Request) {
        self.count(&request, Spread::add);
        self.requests.push_front(request);
    }

    pub(super) fn pop_front(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.count(&request, Spread::remove);
        Some(request)
    }

    /// The last request behind the first `keep` that holds slots.
    pub(super) fn last_holder(&mut self, keep: usize) -> Option<&mut Request> {
        let behind = self.requests.iter_mut().skip(keep);
        behind.rev().find(|request| request.computed > 0)
    }

    /// Brings the requests into another order.
    pub(super) fn reorder(&mut self, order: impl FnOnce(&mut [Request])) {
        order(self.requests.make_contiguous());
    }

    fn count(&mut self, request: &Request, count: impl Fn(&mut Spread, u64)) {
        if request.generated > 0 {
            count(&mut self.retracted_contexts, request.len());
        } else {
            count(&mut self.new_prompts, request.prompt_tokens);
        }
    }
}
