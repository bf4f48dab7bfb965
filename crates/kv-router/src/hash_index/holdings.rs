//! What each worker holds and by which names: the bookkeeping behind stores
//! and removals.
//!
//! Holding a block and having a name for it nearly always go together. They
//! part when one worker gives a block two names, or one name to two blocks;
//! then the latest name counts, and a block stays held until a removal by any
//! of its names.

use super::arena::NodeId;
use super::block_hash::EngineHash;
use super::index::HashIndex;

impl HashIndex {
    /// The block that a worker knows by a name.
    pub(super) fn named(&self, slot: usize, engine: u64) -> Option<NodeId> {
        let worker = &self.workers[slot];
        if let Some(&id) = worker.names.get(&engine) {
            return Some(id);
        }
        self.tree.find(engine, |id| {
            self.tree.holds(id, slot) && !self.is_special(slot, id)
        })
    }

    /// A name by which a worker knows a block that it holds.
    pub(super) fn name_of(&self, slot: usize, id: NodeId) -> EngineHash {
        let own = self.workers[slot].special.get(&id);
        let name = own.and_then(|own| own.any());
        EngineHash(name.unwrap_or(self.tree.nodes[id].engine))
    }

    fn is_special(&self, slot: usize, id: NodeId) -> bool {
        self.tree.nodes[id].is_renamed() && self.workers[slot].special.contains_key(&id)
    }

    /// The block that a worker knows by a name, or a new one of that name that
    /// it holds from now on; `None` when the index is full.
    pub(super) fn named_or_new(&mut self, slot: usize, local: u64, engine: u64) -> Option<NodeId> {
        let worker = &self.workers[slot];
        if let Some(&id) = worker.names.get(&engine) {
            return Some(id);
        }
        let found = self.tree.find_or_create(local, engine, |nodes, sets, id| {
            let node = &nodes[id];
            sets.contains(node.set(), slot)
                && !(node.is_renamed() && worker.special.contains_key(&id))
        });
        let (id, is_new) = found?;
        if is_new {
            self.tree.join(id, slot);
            self.count_handle(slot);
        }
        Some(id)
    }

    /// Lets a worker hold a block and know it by a name.
    pub(super) fn hold(&mut self, slot: usize, engine: u64, id: NodeId) {
        let holds = self.tree.holds(id, slot);
        if self.tree.nodes[id].engine == engine && !self.is_special(slot, id) {
            if holds {
                return;
            }
            let may_name_another =
                self.tree.has_namesakes() || !self.workers[slot].names.is_empty();
            if !may_name_another || self.named(slot, engine).is_none() {
                self.tree.join(id, slot);
                self.count_handle(slot);
                return;
            }
        }
        self.hold_specially(slot, engine, id);
    }

    fn count_handle(&mut self, slot: usize) {
        self.workers[slot].handles += 1;
        self.resident += 1;
    }

    fn hold_specially(&mut self, slot: usize, engine: u64, id: NodeId) {
        let holds = self.tree.holds(id, slot);
        let named = self.named(slot, engine);
        if named == Some(id) {
            if !holds {
                self.tree.remove_stray(id);
                self.tree.join(id, slot);
            }
            return;
        }
        if !self.is_special(slot, id) {
            self.make_special(slot, id);
        } else if !holds {
            self.tree.remove_stray(id);
        }
        if !holds {
            self.tree.join(id, slot);
        }
        // Only now that the block is held: it may hang on the one that is given up.
        match named {
            Some(other) => self.lose_name(slot, engine, other),
            None => self.count_handle(slot),
        }
        self.workers[slot].add_name(id, engine);
    }

    /// Writes down what was understood so far: that a holder knows a block by
    /// the block's own name, or that a worker has nothing to do with it.
    fn make_special(&mut self, slot: usize, id: NodeId) {
        let plainly = self.tree.holds(id, slot);
        let node = &mut self.tree.nodes[id];
        node.mark_renamed();
        let engine = node.engine;
        let worker = &mut self.workers[slot];
        worker.add_special(id);
        if plainly {
            worker.add_name(id, engine);
        }
    }

    /// A name goes over to another block; the old one stays held if it was.
    fn lose_name(&mut self, slot: usize, engine: u64, id: NodeId) {
        if !self.is_special(slot, id) {
            self.make_special(slot, id);
        }
        let holds = self.tree.holds(id, slot);
        if self.workers[slot].take_name(id, engine) == 0 && !holds {
            self.workers[slot].special.remove(&id);
            self.tree.remove_stray(id);
            self.tree.free_if_dead(id);
        }
    }

    /// A worker no longer has a name nor the block behind it; false if it has
    /// no such name.
    pub(super) fn drop_named(&mut self, slot: usize, engine: u64) -> bool {
        let Some(id) = self.named(slot, engine) else {
            return false;
        };
        let holds = self.tree.holds(id, slot);
        if self.is_special(slot, id) {
            let left = self.workers[slot].take_name(id, engine);
            if left == 0 {
                self.workers[slot].special.remove(&id);
            }
            match (holds, left) {
                (true, 1..) => self.tree.add_stray(id),
                (false, 0) => self.tree.remove_stray(id),
                _ => {}
            }
        }
        if holds {
            self.tree.leave(id, slot);
        }
        self.tree.settle(id);
        self.resident -= 1;
        let worker = &mut self.workers[slot];
        worker.handles -= 1;
        if worker.handles == 0 && !worker.special.is_empty() {
            self.drop_nameless(slot);
        }
        true
    }

    /// Drops what a worker without names still holds.
    fn drop_nameless(&mut self, slot: usize) {
        let special = std::mem::take(&mut self.workers[slot].special);
        let mut ids: Vec<NodeId> = special.into_keys().collect();
        ids.sort_unstable();
        for id in ids {
            self.tree.leave(id, slot);
            self.tree.settle(id);
        }
    }

    /// Drops everything that a worker holds or has names for. One pass over
    /// the arena.
    pub(super) fn drop_all(&mut self, slot: usize) {
        let worker = &mut self.workers[slot];
        self.resident -= std::mem::take(&mut worker.handles);
        worker.names = Default::default();
        let special = std::mem::take(&mut worker.special);
        let mut strays: Vec<NodeId> = special
            .into_keys()
            .filter(|&id| !self.tree.holds(id, slot))
            .collect();
        strays.sort_unstable();
        for id in strays {
            self.tree.remove_stray(id);
            self.tree.settle(id);
        }
        for id in (1..self.tree.nodes.end()).map(NodeId) {
            if self.tree.nodes.is_used(id) && self.tree.holds(id, slot) {
                self.tree.leave(id, slot);
                self.tree.settle(id);
            }
        }
    }
}
