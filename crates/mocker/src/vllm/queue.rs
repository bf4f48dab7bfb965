//! The waiting queue, with the entries that the reference leaves behind.

use std::collections::VecDeque;

use sim_api::{RequestId, Spread};

use super::request::{Request, Requests, Status};

/// A place in the queue. It outlives its request if it is stale.
#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u32,
    id: RequestId,
}

/// Requests that wait to be admitted, first come first served, preempted ones
/// in front.
///
/// Where the admission of a request preempts another one, its own entry is not
/// at the front any more. In the reference it stays behind, *stale*, until it
/// gets there.
#[derive(Debug)]
pub(super) struct WaitingQueue {
    entries: VecDeque<Entry>,
    waiting: u32,
    prefill: Spread,
    decode: Spread,
    /// Whether stale entries stay, and a preempted request counts once per entry.
    count_stale: bool,
}

impl WaitingQueue {
    pub(super) fn new(count_stale: bool) -> Self {
        Self {
            entries: VecDeque::new(),
            waiting: 0,
            prefill: Spread::default(),
            decode: Spread::default(),
            count_stale,
        }
    }

    /// Requests that wait.
    pub(super) fn requests(&self) -> u32 {
        self.waiting
    }

    /// Whether nothing is in the queue, not even a stale entry.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Prompt lengths of the requests that were never admitted.
    pub(super) fn prefill(&self) -> Spread {
        self.prefill
    }

    /// Lengths of the preempted requests.
    pub(super) fn decode(&self) -> Spread {
        self.decode
    }

    /// Adds a new request.
    pub(super) fn push_back(&mut self, slot: u32, request: &Request) {
        self.waiting += 1;
        self.prefill.add(u64::from(request.prompt.tokens()));
        let id = request.id;
        self.entries.push_back(Entry { slot, id });
    }

    /// Puts a preempted request in front of all others.
    pub(super) fn push_front(&mut self, slot: u32, request: &Request) {
        self.waiting += 1;
        for _ in 0..self.weight(request) {
            self.decode.add(u64::from(request.len()));
        }
        let id = request.id;
        self.entries.push_front(Entry { slot, id });
    }

    /// The request whose turn it is; drops stale entries before it.
    pub(super) fn front(&mut self, requests: &mut Requests) -> Option<u32> {
        while let Some(&Entry { slot, id }) = self.entries.front() {
            match requests
                .get(slot)
                .map(|request| (request.id, request.status))
            {
                Some((owner, Status::Waiting | Status::Preempted)) if owner == id => {
                    return Some(slot);
                }
                Some((owner, _)) if owner == id => requests[slot].stale_entries -= 1,
                _ => {}
            }
            self.entries.pop_front();
        }
        None
    }

    /// The waiting request in `slot`, whose turn it was, is admitted.
    pub(super) fn admit(&mut self, slot: u32, request: &mut Request) {
        self.waiting -= 1;
        let len = u64::from(request.len());
        if request.status == Status::Waiting {
            self.prefill.remove(u64::from(request.prompt.tokens()));
        } else {
            for _ in 0..self.weight(request) {
                self.decode.remove(len);
            }
        }
        match self.entries.front() {
            Some(front) if front.slot == slot && front.id == request.id => {
                self.entries.pop_front();
            }
            _ if self.count_stale => request.stale_entries += 1,
            // Victims are in front of it now.
            _ => {
                if let Some(place) = self.entries.iter().position(|it| it.id == request.id) {
                    self.entries.remove(place);
                }
            }
        }
    }

    fn weight(&self, request: &Request) -> u32 {
        if self.count_stale {
            1 + request.stale_entries
        } else {
            1
        }
    }
}
