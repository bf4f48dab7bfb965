//! A query's walk down the tree: one step a block, and work per worker only
//! where the holders change.

use smallvec::SmallVec;

use super::arena::NodeId;
use super::block_hash::LocalHash;
use super::index::{HashIndex, Matching};
use super::query::{EarlyExit, Matches, PrefixIndex};

/// Workers that hold everything so far, as bits by slot.
struct Active {
    words: SmallVec<[u64; 4]>,
    count: u32,
}

impl Active {
    /// Keeps only `holders`; tells the slots of those that go.
    fn keep(&mut self, holders: &[u64], mut gone: impl FnMut(usize)) {
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut lost = *word & !holders.get(at).copied().unwrap_or(0);
            *word ^= lost;
            self.count -= lost.count_ones();
            while lost != 0 {
                gone(at * u64::BITS as usize + lost.trailing_zeros() as usize);
                lost &= lost - 1;
            }
        }
    }
}

impl PrefixIndex for HashIndex {
    fn query_into(&self, prompt: &[LocalHash], early_exit: EarlyExit, matches: &mut Matches) {
        matches.clear();
        self.append_matches(prompt, early_exit, matches);
        matches.sort();
    }
}

impl HashIndex {
    /// Adds this index's workers to an answer, in no particular order.
    pub(super) fn append_matches(
        &self,
        prompt: &[LocalHash],
        early_exit: EarlyExit,
        matches: &mut Matches,
    ) {
        self.walk(prompt, early_exit, |slot, depth, _| {
            matches.push(self.workers[slot].key, depth);
        });
    }

    /// Tells of each worker with a match, by slot, how deep it is and at which
    /// block it ends.
    pub(super) fn walk(
        &self,
        prompt: &[LocalHash],
        early_exit: EarlyExit,
        mut reached: impl FnMut(usize, u32, NodeId),
    ) {
        let Some((first, rest)) = prompt.split_first() else {
            return;
        };
        let Some(mut at) = self.tree.child(NodeId::ROOT, first.0) else {
            return;
        };
        let mut set = self.tree.nodes[at].set();
        let mut active = Active {
            words: SmallVec::from_slice(self.tree.sets.words(set)),
            count: self.tree.sets.members(set),
        };
        let enough = match early_exit {
            EarlyExit::Never => 0,
            EarlyExit::OneWorkerLeft => 1,
        };
        let mut depth = 1;
        for local in rest {
            if active.count <= enough {
                break;
            }
            let Some(next) = self.tree.child(at, local.0) else {
                break;
            };
            let holders = self.tree.nodes[next].set();
            // The same set as a block before was met already.
            if holders != set {
                set = holders;
                let taken_for_same = self.matching == Matching::ReferenceShortcuts
                    && self.tree.sets.members(set) == active.count;
                if !taken_for_same {
                    let words = self.tree.sets.words(set);
                    active.keep(words, |slot| reached(slot, depth, at));
                }
            }
            at = next;
            depth += 1;
        }
        active.keep(&[], |slot| reached(slot, depth, at));
    }
}
