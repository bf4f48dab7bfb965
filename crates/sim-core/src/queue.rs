//! A priority queue of future events with a total, stable order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::SimTime;

/// An event taken from an [`EventQueue`].
#[derive(Clone, Debug)]
pub struct QueuedEvent<T> {
    /// When it happens.
    pub at: SimTime,
    /// Its place among the events of one instant; lower ranks come first.
    pub rank: u32,
    /// Order of insertion, which breaks the remaining ties.
    seq: u64,
    /// What happens.
    pub payload: T,
}

impl<T> QueuedEvent<T> {
    fn key(&self) -> (SimTime, u32, u64) {
        (self.at, self.rank, self.seq)
    }
}

impl<T> PartialEq for QueuedEvent<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for QueuedEvent<T> {}

impl<T> PartialOrd for QueuedEvent<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for QueuedEvent<T> {
    // Reversed: the standard heap pops its greatest element, we want the first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

/// Events ordered by (time, rank, order of insertion).
#[derive(Clone, Debug)]
pub struct EventQueue<T> {
    heap: BinaryHeap<QueuedEvent<T>>,
    pushed: u64,
}

impl<T> EventQueue<T> {
    /// An empty queue.
    pub fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            pushed: 0,
        }
    }

    /// Adds an event.
    pub fn push(&mut self, at: SimTime, rank: u32, payload: T) {
        let seq = self.pushed;
        self.pushed += 1;
        self.heap.push(QueuedEvent {
            at,
            rank,
            seq,
            payload,
        });
    }

    /// Takes the first event.
    pub fn pop(&mut self) -> Option<QueuedEvent<T>> {
        self.heap.pop()
    }

    /// Takes the first event if it happens at `now` or earlier.
    pub fn pop_due(&mut self, now: SimTime) -> Option<QueuedEvent<T>> {
        if self.next_time()? <= now {
            self.heap.pop()
        } else {
            None
        }
    }

    /// When the first event happens.
    pub fn next_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|event| event.at)
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// What waits, in no particular order.
    pub fn payloads(&self) -> impl Iterator<Item = &T> {
        self.heap.iter().map(|event| &event.payload)
    }

    /// Removes the events for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.heap.retain(|event| keep(&event.payload));
    }
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_leave_by_time_then_rank_then_insertion(
            events in prop::collection::vec((0_u64..5, 0_u32..3), 0..40)
        ) {
            let mut queue = EventQueue::new();
            for (index, &(ns, rank)) in events.iter().enumerate() {
                queue.push(SimTime::from_ns(ns), rank, index);
            }
            let mut expected: Vec<_> = events.iter().enumerate().map(|(i, &(ns, rank))| (ns, rank, i)).collect();
            expected.sort_unstable();
            let mut taken = Vec::new();
            while let Some(event) = queue.pop() {
                taken.push((event.at.as_ns(), event.rank, event.payload));
            }
            prop_assert_eq!(taken, expected);
        }
    }

    #[test]
    fn only_due_events_are_popped() {
        let mut queue = EventQueue::new();
        queue.push(SimTime::from_ns(5), 0, ());
        assert!(queue.pop_due(SimTime::from_ns(4)).is_none());
        assert!(queue.pop_due(SimTime::from_ns(5)).is_some());
    }
}
