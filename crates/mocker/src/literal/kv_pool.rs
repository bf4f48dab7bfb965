//! The KV blocks of one worker.
//!
//! A block is free, active (held by a sequence) or inactive (held by none but
//! still matchable). `free + active + inactive` is the size of the pool.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::KvChange;

use crate::blocks::{BlockId, KvChanges};

/// A full block that can be matched.
#[derive(Clone, Debug)]
struct Resident {
    /// Sequences that hold it; 0 if inactive.
    refs: u32,
    /// The block before it in every sequence that has it.
    parent: Option<BlockId>,
    /// Blocks right after it that are inactive.
    inactive_children: u32,
    /// When it last became inactive.
    released: u64,
}

/// The pool.
#[derive(Clone, Debug)]
pub(super) struct KvPool {
    total: u32,
    free: u32,
    /// Active blocks that cannot be matched: partial ones, and all of them
    /// where prefix caching is off.
    unmatched: u32,
    /// Matchable blocks that are held.
    active_full: u32,
    resident: HashMap<BlockId, Resident, FxBuildHasher>,
    /// Inactive blocks without inactive children, by when they were released.
    leaves: BTreeMap<u64, BlockId>,
    tick: u64,
    changes: KvChanges,
}

impl KvPool {
    pub(super) fn new(total: u32) -> Self {
        Self {
            total,
            free: total,
            unmatched: 0,
            active_full: 0,
            resident: HashMap::default(),
            leaves: BTreeMap::new(),
            tick: 0,
            changes: KvChanges::default(),
        }
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// Blocks that sequences hold, each once.
    pub(super) fn active(&self) -> u32 {
        self.active_full + self.unmatched
    }

    pub(super) fn inactive(&self) -> u32 {
        self.resident.len() as u32 - self.active_full
    }

    pub(super) fn is_resident(&self, block: BlockId) -> bool {
        self.resident.contains_key(&block)
    }

    /// How many sequences hold a block.
    pub(super) fn refs(&self, block: BlockId) -> u32 {
        self.resident.get(&block).map_or(0, |found| found.refs)
    }

    /// A slot for a new block: a free one, else that of an inactive block.
    fn slot(&mut self) -> bool {
        if self.free == 0 && !self.evict() {
            return false;
        }
        self.free -= 1;
        true
    }

    /// Blocks that could be taken: free or inactive.
    pub(super) fn available(&self) -> u64 {
        u64::from(self.free) + u64::from(self.inactive())
    }

    /// Sees to it that `blocks` blocks are free. False, and nothing changed,
    /// if there are not that many free and inactive ones.
    pub(super) fn reserve(&mut self, blocks: u64) -> bool {
        if blocks > self.available() {
            return false;
        }
        while u64::from(self.free) < blocks && self.evict() {}
        true
    }

    /// Holds a full block, matching it if it is resident. False if there is no slot.
    pub(super) fn hold_full(&mut self, block: BlockId, parent: Option<BlockId>) -> bool {
        if self.resident.contains_key(&block) {
            self.hold_resident(block);
            return true;
        }
        if !self.slot() {
            return false;
        }
        self.register(block, parent);
        true
    }

    /// Holds a block that cannot be matched. False if there is no slot.
    pub(super) fn hold_unmatched(&mut self) -> bool {
        let found = self.slot();
        self.unmatched += u32::from(found);
        found
    }

    /// A partial block has become the full block `block`.
    pub(super) fn promote(&mut self, block: BlockId, parent: Option<BlockId>) {
        self.unmatched -= 1;
        if self.resident.contains_key(&block) {
            self.free += 1;
            self.hold_resident(block);
        } else {
            self.register(block, parent);
        }
    }

    /// A sequence gives a block up that cannot be matched.
    pub(super) fn release_unmatched(&mut self) {
        self.unmatched -= 1;
        self.free += 1;
    }

    /// A sequence gives a full block up.
    pub(super) fn release_full(&mut self, block: BlockId) {
        let Some(found) = self.resident.get_mut(&block) else {
            return;
        };
        found.refs -= 1;
        if found.refs > 0 {
            return;
        }
        self.active_full -= 1;
        found.released = self.tick;
        self.tick += 1;
        if found.inactive_children == 0 {
            self.leaves.insert(found.released, block);
        }
        let parent = found.parent;
        self.child_became_inactive(parent);
    }

    fn register(&mut self, block: BlockId, parent: Option<BlockId>) {
        self.active_full += 1;
        self.resident.insert(
            block,
            Resident {
                refs: 1,
                parent,
                inactive_children: 0,
                released: 0,
            },
        );
        self.changes.stored(block);
    }

    fn hold_resident(&mut self, block: BlockId) {
        let Some(found) = self.resident.get_mut(&block) else {
            return;
        };
        found.refs += 1;
        if found.refs == 1 {
            self.active_full += 1;
            self.leaves.remove(&found.released);
            let parent = found.parent;
            self.child_left(parent);
        }
    }

    fn child_became_inactive(&mut self, parent: Option<BlockId>) {
        if let Some(found) = parent.and_then(|parent| self.resident.get_mut(&parent)) {
            found.inactive_children += 1;
            if found.refs == 0 {
                self.leaves.remove(&found.released);
            }
        }
    }

    /// A block's child is no longer inactive: held again, or evicted.
    fn child_left(&mut self, parent: Option<BlockId>) {
        let Some(parent) = parent else { return };
        if let Some(found) = self.resident.get_mut(&parent) {
            found.inactive_children -= 1;
            if found.inactive_children == 0 && found.refs == 0 {
                self.leaves.insert(found.released, parent);
            }
        }
    }

    /// Frees the least recently released inactive block that has no inactive child.
    fn evict(&mut self) -> bool {
        let Some((_, block)) = self.leaves.pop_first() else {
            return false;
        };
        if let Some(evicted) = self.resident.remove(&block) {
            self.child_left(evicted.parent);
        }
        self.free += 1;
        self.changes.removed(block);
        true
    }

    /// Changes of the resident prompt blocks since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<KvChange> {
        self.changes.take()
    }
}

#[cfg(test)]
impl KvPool {
    /// Counts every kind of block once more.
    pub(super) fn assert_adds_up(&self) {
        assert_eq!(self.free + self.active() + self.inactive(), self.total);
        let held = self.resident.values().filter(|block| block.refs > 0);
        assert_eq!(held.count() as u32, self.active_full);
        for (block, found) in &self.resident {
            let is_leaf = found.refs == 0 && found.inactive_children == 0;
            assert_eq!(self.leaves.get(&found.released) == Some(block), is_leaf);
            if let Some(parent) = found.parent {
                assert!(self.resident.contains_key(&parent), "a prefix has a hole");
            }
        }
    }
}
