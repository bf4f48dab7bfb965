//! The blocks of the tree: 24 bytes each, numbered, reused when freed.
//!
//! Memory comes in chunks, so that growth never copies or doubles what is
//! there, and blocks of one store lie side by side. Knows nothing of workers
//! or of what links mean.

use super::children::Children;
use super::sets::SetId;

/// Blocks a chunk, as a power of two.
const CHUNK_BITS: u32 = 13;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Distinct blocks that can be numbered, the root included.
const MAX_NODES: u32 = (1 << 30) - 2;

/// A block in the arena, or the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    /// Where every prompt starts; no block itself.
    pub(super) const ROOT: Self = Self(0);
}

/// Some parent leads here.
const LINKED: u32 = 1 << 31;
/// Some worker may know the block by other names than its own.
const RENAMED: u32 = 1 << 30;
/// The number of the set of holders.
const SET: u32 = RENAMED - 1;
/// In the place of the set of holders: this block is free.
const FREE: u32 = u32::MAX;

/// One block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Content hash by which its first parent leads to it.
    pub(super) local: u64,
    /// The name that whoever stored it first gave it.
    pub(super) engine: u64,
    /// What follows it.
    pub(super) children: Children,
    state: u32,
}

impl Node {
    /// Its holders.
    pub(super) fn set(&self) -> SetId {
        SetId(self.state & SET)
    }

    /// Changes its holders.
    pub(super) fn replace_set(&mut self, set: SetId) {
        self.state = self.state & !SET | set.0;
    }

    /// Whether some parent leads to it.
    pub(super) fn is_linked(&self) -> bool {
        self.state & LINKED != 0
    }

    /// Says whether some parent leads to it.
    pub(super) fn mark_linked(&mut self, linked: bool) {
        self.state = self.state & !LINKED | if linked { LINKED } else { 0 };
    }

    /// Whether some worker may know it by other names than [`Self::engine`].
    pub(super) fn is_renamed(&self) -> bool {
        self.state & RENAMED != 0
    }

    /// Says that some worker may know it by other names; stays so until it is freed.
    pub(super) fn mark_renamed(&mut self) {
        self.state |= RENAMED;
    }
}

/// All blocks.
#[derive(Debug)]
pub(super) struct Arena {
    chunks: Vec<Vec<Node>>,
    /// The first free block, which leads to the next; the root if there is none.
    free: NodeId,
    blocks: usize,
    /// Numbers that may be given out, the root's included.
    limit: u32,
}

impl Default for Arena {
    fn default() -> Self {
        let mut arena = Self {
            chunks: vec![Vec::new()],
            free: NodeId::ROOT,
            blocks: 0,
            limit: MAX_NODES,
        };
        arena.chunks[0].push(fresh(0, 0));
        arena
    }
}

fn fresh(local: u64, engine: u64) -> Node {
    Node {
        local,
        engine,
        children: Children::NONE,
        state: SetId::EMPTY.0,
    }
}

impl std::ops::Index<NodeId> for Arena {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        let id = id.0 as usize;
        &self.chunks[id >> CHUNK_BITS][id & (CHUNK - 1)]
    }
}

impl std::ops::IndexMut<NodeId> for Arena {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        let id = id.0 as usize;
        &mut self.chunks[id >> CHUNK_BITS][id & (CHUNK - 1)]
    }
}

impl Arena {
    /// Blocks that fit.
    pub(super) fn capacity(&self) -> u32 {
        self.limit - 1
    }

    /// Room for a few blocks only.
    #[cfg(test)]
    pub(super) fn limit_to(&mut self, blocks: u32) {
        self.limit = blocks + 1;
    }

    /// Blocks in use, without the root.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// A new block without parents, children and holders; `None` when all
    /// numbers are taken.
    pub(super) fn insert(&mut self, local: u64, engine: u64) -> Option<NodeId> {
        let id = self.free;
        if id != NodeId::ROOT {
            self.free = self[id].children.as_next_free();
            self[id] = fresh(local, engine);
            self.blocks += 1;
            return Some(id);
        }
        if self.chunks.last().is_some_and(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let full_chunks = self.chunks.len() - 1;
        let chunk = &mut self.chunks[full_chunks];
        let id = full_chunks * CHUNK + chunk.len();
        if id >= self.limit as usize {
            return None;
        }
        chunk.push(fresh(local, engine));
        self.blocks += 1;
        Some(NodeId(id as u32))
    }

    /// Frees a block, to be the next one that is reused.
    pub(super) fn remove(&mut self, id: NodeId) {
        let next = self.free;
        let node = &mut self[id];
        node.children = Children::next_free(next);
        node.state = FREE;
        self.free = id;
        self.blocks -= 1;
    }

    /// One more than the greatest number ever in use.
    pub(super) fn end(&self) -> u32 {
        let full_chunks = self.chunks.len() - 1;
        (full_chunks * CHUNK + self.chunks[full_chunks].len()) as u32
    }

    /// Whether a number below [`Self::end`] is the root or a block in use.
    pub(super) fn is_used(&self, id: NodeId) -> bool {
        self[id].state != FREE
    }

    /// Heap bytes reserved.
    pub(super) fn heap_bytes(&self) -> usize {
        let blocks: usize = self.chunks.iter().map(Vec::capacity).sum();
        blocks * size_of::<Node>() + self.chunks.capacity() * size_of::<Vec<Node>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_small_and_freed_ones_are_reused_first() {
        assert_eq!(size_of::<Node>(), 24);
        let mut arena = Arena::default();
        let ids: Vec<NodeId> = (0..2 * CHUNK as u64)
            .map(|n| arena.insert(n, n).unwrap())
            .collect();
        assert_eq!(arena[ids[CHUNK]].engine, CHUNK as u64);
        arena.remove(ids[7]);
        arena.remove(ids[6]);
        let used = (0..arena.end()).filter(|&id| arena.is_used(NodeId(id)));
        assert_eq!(used.count(), arena.blocks() + 1);
        assert_eq!(arena.insert(0, 0), Some(ids[6]));
        assert_eq!(arena.insert(0, 0), Some(ids[7]));
        assert_eq!(arena.end() as usize, arena.blocks() + 1);
    }

    #[test]
    fn marks_and_holders_do_not_disturb_each_other() {
        let mut node = fresh(1, 2);
        node.mark_linked(true);
        node.mark_renamed();
        node.replace_set(SetId(77));
        assert!(node.is_linked() && node.is_renamed() && node.set() == SetId(77));
        node.mark_linked(false);
        assert!(!node.is_linked() && node.is_renamed() && node.set() == SetId(77));
    }
}
