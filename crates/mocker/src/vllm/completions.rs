//! Which decoding request gets its last token in which pass.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Pass number, place in the running order, slot.
type Entry = Reverse<(u64, u64, u32)>;

/// The calendar of completions.
#[derive(Debug, Default)]
pub(super) struct Completions(BinaryHeap<Entry>);

impl Completions {
    /// The request in `slot` completes in pass `pass`; `order` is its place
    /// among running requests.
    pub(super) fn push(&mut self, pass: u64, order: u64, slot: u32) {
        self.0.push(Reverse((pass, order, slot)));
    }

    /// The pass of the next completion.
    pub(super) fn next_pass(&self) -> Option<u64> {
        self.0.peek().map(|&Reverse((pass, ..))| pass)
    }

    /// The requests that complete in `pass` or before, in no particular order.
    pub(super) fn by(&self, pass: u64) -> impl Iterator<Item = u32> + '_ {
        let due = move |&&Reverse((other, ..)): &&Entry| other <= pass;
        self.0.iter().filter(due).map(|&Reverse((.., slot))| slot)
    }

    /// Takes out a request that completes in `pass`, lowest place first.
    pub(super) fn pop_at(&mut self, pass: u64) -> Option<u32> {
        let &Reverse((next, _, slot)) = self.0.peek()?;
        if next != pass {
            return None;
        }
        self.0.pop();
        Some(slot)
    }

    /// The request in `slot` no longer completes as it was said to.
    pub(super) fn forget(&mut self, slot: u32) {
        self.0.retain(|&Reverse((.., other))| other != slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_come_by_pass_then_place() {
        let mut completions = Completions::default();
        completions.push(9, 1, 10);
        completions.push(4, 3, 11);
        completions.push(4, 2, 12);
        completions.push(4, 4, 13);
        completions.forget(13);
        assert_eq!(completions.next_pass(), Some(4));
        assert_eq!(completions.pop_at(3), None);
        assert_eq!(completions.pop_at(4), Some(12));
        assert_eq!(completions.pop_at(4), Some(11));
        assert_eq!(completions.pop_at(4), None);
        assert_eq!(completions.next_pass(), Some(9));
    }
}
