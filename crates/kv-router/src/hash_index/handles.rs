//! What workers call blocks: from (worker, engine hash) to the block.
//!
//! A block keeps the name that it got first, one table over all workers finds
//! blocks by that name, and a worker that holds a block knows it by that name
//! *plainly*: there is nothing more to remember. Only what deviates (a worker
//! with a name of its own for a block, or with a name for a block that it no
//! longer holds, or the reverse) is written down, per worker.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashTable};
use rustc_hash::FxBuildHasher;

use super::arena::{Arena, NodeId};
use super::block_hash::WorkerKey;

/// Spreads a hash, or a name that is none, over all 64 bits.
pub(super) fn mix(word: u64) -> u64 {
    // Any odd constants with no pattern: digits of pi.
    let product = u128::from(word ^ 0x243f_6a88_85a3_08d3) * u128::from(0x1319_8a2e_0370_7345_u64);
    (product >> 64) as u64 ^ product as u64
}

/// All blocks by the name that each got first.
#[derive(Debug, Default)]
pub(super) struct Names {
    blocks: HashTable<NodeId>,
    /// Blocks whose name some other block had already.
    repeated: usize,
}

impl Names {
    /// A block of that first name that the caller accepts.
    pub(super) fn find(
        &self,
        nodes: &Arena,
        engine: u64,
        accept: impl Fn(NodeId) -> bool,
    ) -> Option<NodeId> {
        let found = self
            .blocks
            .find(mix(engine), |&id| nodes[id].engine == engine && accept(id));
        found.copied()
    }

    /// A block of that first name that the caller accepts, or the new one that
    /// `local` and `engine` describe, and whether it is new; `None` when all
    /// numbers are taken.
    pub(super) fn find_or_insert(
        &mut self,
        nodes: &mut Arena,
        (local, engine): (u64, u64),
        accept: impl Fn(&Arena, NodeId) -> bool,
    ) -> Option<(NodeId, bool)> {
        use hashbrown::hash_table::Entry;
        if self.blocks.len() == self.blocks.capacity() {
            self.grow(nodes);
        }
        let mut repeated = false;
        let same = |&id: &NodeId| {
            let same = nodes[id].engine == engine;
            repeated |= same;
            same && accept(nodes, id)
        };
        match self
            .blocks
            .entry(mix(engine), same, |&id| mix(nodes[id].engine))
        {
            Entry::Occupied(found) => Some((*found.get(), false)),
            Entry::Vacant(place) => {
                let id = nodes.insert(local, engine)?;
                place.insert(id);
                self.repeated += usize::from(repeated);
                Some((id, true))
            }
        }
    }

    /// Makes room for as many names again. Reads the blocks in the order of the
    /// arena, which is several times faster than in the order of the table, and
    /// never has the old and the new table in memory together.
    fn grow(&mut self, nodes: &Arena) {
        let capacity = (2 * self.blocks.len()).max(4);
        self.blocks = HashTable::new();
        self.blocks = HashTable::with_capacity(capacity);
        for id in (1..nodes.end()).map(NodeId) {
            if nodes.is_used(id) {
                self.blocks
                    .insert_unique(mix(nodes[id].engine), id, |&id| mix(nodes[id].engine));
            }
        }
    }

    /// Looks where names are, or would be, all at once: the memory arrives
    /// together instead of once a look-up, if look-ups follow soon.
    pub(super) fn warm_up(&self, nodes: &Arena, names: impl Iterator<Item = u64>) {
        let known = names.filter(|&name| self.find(nodes, name, |_| true).is_some());
        // Nobody needs the number, but it must not be optimised away.
        std::hint::black_box(known.count());
    }

    /// Whether some name belongs to several blocks.
    pub(super) fn any_repeated(&self) -> bool {
        self.repeated > 0
    }

    /// Forgets a block, which is still in the arena.
    pub(super) fn remove(&mut self, nodes: &Arena, id: NodeId) {
        let engine = nodes[id].engine;
        if let Ok(entry) = self.blocks.find_entry(mix(engine), |&other| other == id) {
            entry.remove();
        }
        if self.repeated > 0 && self.find(nodes, engine, |_| true).is_some() {
            self.repeated -= 1;
        }
    }

    /// Panics unless exactly these blocks have their names here.
    #[cfg(test)]
    pub(super) fn audit(&self, nodes: &Arena, used: &[NodeId]) {
        assert_eq!(self.blocks.len(), used.len());
        for &id in used {
            assert!(
                self.find(nodes, nodes[id].engine, |found| found == id)
                    .is_some()
            );
        }
        let names: std::collections::BTreeSet<u64> =
            used.iter().map(|&id| nodes[id].engine).collect();
        assert_eq!(self.repeated, used.len() - names.len());
    }

    /// Heap bytes reserved.
    pub(super) fn heap_bytes(&self) -> usize {
        self.blocks.allocation_size()
    }
}

/// One rank of one worker.
#[derive(Debug)]
pub(super) struct Worker {
    /// Who it is.
    pub(super) key: WorkerKey,
    /// Names by which it knows blocks.
    pub(super) handles: usize,
    /// Its names of blocks that it does not hold plainly.
    pub(super) names: HashMap<u64, NodeId, FxBuildHasher>,
    /// Blocks that it holds, or has names for, but not plainly.
    pub(super) special: HashMap<NodeId, OwnNames, FxBuildHasher>,
}

/// A worker's own names of one block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnNames {
    /// How many.
    pub(super) count: u32,
    /// One of them, if there are any, in two halves for the sake of four bytes.
    some: [u32; 2],
}

impl OwnNames {
    fn set(&mut self, name: u64) {
        self.some = [(name >> 32) as u32, name as u32];
    }

    /// One of them, if there are any.
    pub(super) fn any(self) -> Option<u64> {
        let [high, low] = self.some;
        (self.count > 0).then_some(u64::from(high) << 32 | u64::from(low))
    }
}

impl Worker {
    /// Makes a block special that has no names of this worker yet.
    pub(super) fn add_special(&mut self, id: NodeId) {
        self.special.insert(id, OwnNames::default());
    }

    /// Gives a special block a name that the worker does not use.
    pub(super) fn add_name(&mut self, id: NodeId, name: u64) {
        self.names.insert(name, id);
        let own = self.special.entry(id).or_default();
        own.count += 1;
        own.set(name);
    }

    /// Takes a name of a special block away; returns how many are left.
    pub(super) fn take_name(&mut self, id: NodeId, name: u64) -> u32 {
        self.names.remove(&name);
        let Some(own) = self.special.get_mut(&id) else {
            return 0;
        };
        own.count -= 1;
        if own.any() == Some(name) {
            // Two names of one worker for one block are rare enough for a search.
            let others = self.names.iter().filter(|&(_, &named)| named == id);
            if let Some(other) = others.map(|(&other, _)| other).min() {
                own.set(other);
            }
        }
        own.count
    }
}

/// All known ranks, by slots that are small numbers.
#[derive(Debug, Default)]
pub(super) struct Workers {
    slots: Vec<Option<Worker>>,
    free: Vec<usize>,
    by_key: BTreeMap<WorkerKey, usize>,
}

impl std::ops::Index<usize> for Workers {
    type Output = Worker;

    fn index(&self, slot: usize) -> &Worker {
        self.slots[slot].as_ref().expect("a slot in use")
    }
}

impl std::ops::IndexMut<usize> for Workers {
    fn index_mut(&mut self, slot: usize) -> &mut Worker {
        self.slots[slot].as_mut().expect("a slot in use")
    }
}

impl Workers {
    /// The slot of a rank, which becomes known with this.
    pub(super) fn register(&mut self, key: WorkerKey) -> usize {
        if let Some(&slot) = self.by_key.get(&key) {
            return slot;
        }
        let worker = Worker {
            key,
            handles: 0,
            names: HashMap::default(),
            special: HashMap::default(),
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(worker);
        self.by_key.insert(key, slot);
        slot
    }

    /// The slot of a rank, if it is known.
    pub(super) fn slot(&self, key: WorkerKey) -> Option<usize> {
        self.by_key.get(&key).copied()
    }

    /// The known ranks of a worker, in order, with their slots.
    pub(super) fn ranks(&self, id: u64) -> impl Iterator<Item = (WorkerKey, usize)> + '_ {
        self.by_key
            .range(WorkerKey::new(id, 0)..=WorkerKey::new(id, u32::MAX))
            .map(|(&key, &slot)| (key, slot))
    }

    /// All known ranks, in order, with the number of names that each has.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (WorkerKey, usize)> + '_ {
        self.by_key
            .iter()
            .map(|(&key, &slot)| (key, self[slot].handles))
    }

    /// Forgets a rank that has no names left.
    pub(super) fn remove(&mut self, key: WorkerKey) {
        if let Some(slot) = self.by_key.remove(&key) {
            self.slots[slot] = None;
            self.free.push(slot);
        }
    }

    /// Heap bytes reserved, small per-worker parts aside.
    pub(super) fn heap_bytes(&self) -> usize {
        let tables: usize = self
            .slots
            .iter()
            .flatten()
            .map(|worker| worker.names.allocation_size() + worker.special.allocation_size())
            .sum();
        tables + self.slots.capacity() * size_of::<Option<Worker>>()
    }
}
