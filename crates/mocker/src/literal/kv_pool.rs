//! The KV blocks of one worker.
//!
//! A block is free, active (held by a sequence) or inactive (held by none but
//! still matchable). `free + active + inactive` is the size of the pool.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::KvChange;

use crate::blocks::{BlockId, KvChanges};

/// Where a full block is in the pool's list.
type Place = u32;

/// A full block that can be matched.
#[derive(Clone, Copy, Debug)]
struct Resident {
    block: BlockId,
    /// Sequences that hold it; 0 if inactive.
    refs: u32,
    /// The block before it in every sequence that has it.
    parent: Option<Place>,
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
    /// Where the matchable blocks are in `blocks`.
    resident: HashMap<BlockId, Place, FxBuildHasher>,
    blocks: Vec<Resident>,
    /// Places in `blocks` without a block.
    unused: Vec<Place>,
    /// Inactive blocks without inactive children, by when they were released.
    leaves: BTreeMap<u64, Place>,
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
            blocks: Vec::new(),
            unused: Vec::new(),
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
        let place = self.resident.get(&block);
        place.map_or(0, |&place| self.at(place).refs)
    }

    fn at(&self, place: Place) -> &Resident {
        &self.blocks[place as usize]
    }

    fn at_mut(&mut self, place: Place) -> &mut Resident {
        &mut self.blocks[place as usize]
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
        if let Some(&place) = self.resident.get(&block) {
            self.hold_resident(place);
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
        if let Some(&place) = self.resident.get(&block) {
            self.free += 1;
            self.hold_resident(place);
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
        let Some(&place) = self.resident.get(&block) else {
            return;
        };
        let tick = self.tick;
        let found = self.at_mut(place);
        found.refs -= 1;
        if found.refs > 0 {
            return;
        }
        found.released = tick;
        let Resident {
            parent,
            inactive_children,
            ..
        } = *found;
        self.tick += 1;
        self.active_full -= 1;
        if inactive_children == 0 {
            self.leaves.insert(tick, place);
        }
        self.child_became_inactive(parent);
    }

    fn register(&mut self, block: BlockId, parent: Option<BlockId>) {
        self.active_full += 1;
        let parent = parent.and_then(|parent| self.resident.get(&parent).copied());
        let resident = Resident {
            block,
            refs: 1,
            parent,
            inactive_children: 0,
            released: 0,
        };
        let place = match self.unused.pop() {
            Some(place) => {
                *self.at_mut(place) = resident;
                place
            }
            None => {
                self.blocks.push(resident);
                (self.blocks.len() - 1) as Place
            }
        };
        self.resident.insert(block, place);
        self.changes.stored(block);
    }

    fn hold_resident(&mut self, place: Place) {
        let found = self.at_mut(place);
        found.refs += 1;
        if found.refs == 1 {
            let Resident {
                parent, released, ..
            } = *found;
            self.active_full += 1;
            self.leaves.remove(&released);
            self.child_left(parent);
        }
    }

    fn child_became_inactive(&mut self, parent: Option<Place>) {
        let Some(parent) = parent else { return };
        let found = self.at_mut(parent);
        found.inactive_children += 1;
        if found.refs == 0 {
            let released = found.released;
            self.leaves.remove(&released);
        }
    }

    /// A block's child is no longer inactive: held again, or evicted.
    fn child_left(&mut self, parent: Option<Place>) {
        let Some(parent) = parent else { return };
        let found = self.at_mut(parent);
        found.inactive_children -= 1;
        if found.inactive_children == 0 && found.refs == 0 {
            let released = found.released;
            self.leaves.insert(released, parent);
        }
    }

    /// Frees the least recently released inactive block that has no inactive child.
    fn evict(&mut self) -> bool {
        let Some((_, place)) = self.leaves.pop_first() else {
            return false;
        };
        let Resident { block, parent, .. } = *self.at(place);
        self.resident.remove(&block);
        self.unused.push(place);
        self.child_left(parent);
        self.free += 1;
        self.changes
            .removed(block.chain, block.index, block.index + 1);
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
        let places: Vec<Place> = self.resident.values().copied().collect();
        let held = places.iter().filter(|place| self.at(**place).refs > 0);
        assert_eq!(held.count() as u32, self.active_full);
        for place in places {
            let found = self.at(place);
            assert_eq!(self.resident[&found.block], place);
            let is_leaf = found.refs == 0 && found.inactive_children == 0;
            assert_eq!(self.leaves.get(&found.released) == Some(&place), is_leaf);
            if let Some(parent) = found.parent {
                let kept = self.resident.contains_key(&self.at(parent).block);
                assert!(kept, "a prefix has a hole");
            }
        }
    }
}
