//! The radix tree of cached pages.
//!
//! A node is a run of pages; its children begin with different pages. Nodes on
//! the path of a request that holds slots are locked. Only unlocked leaves can
//! be evicted, and only they count as evictable: an unlocked inner node counts
//! once its children are gone.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::KvChange;

use crate::blocks::{BlockId, KvChanges};

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// The node of no pages. Never locked out of use, never evicted.
    pub(super) const ROOT: Self = Self(0);
}

#[derive(Clone, Debug, Default)]
struct Node {
    pages: Vec<BlockId>,
    parent: u32,
    children: u32,
    locks: u32,
    /// The latest match or insertion that went through here, as far as no
    /// child remembers a later one.
    used: u64,
}

/// The tree.
#[derive(Clone, Debug)]
pub(super) struct RadixTree {
    page_tokens: u64,
    nodes: Vec<Node>,
    unused: Vec<u32>,
    /// By parent and first page.
    children: HashMap<(u32, BlockId), u32, FxBuildHasher>,
    /// Unlocked leaves, least recently used first.
    leaves: BTreeSet<(u64, u32)>,
    /// Pages of unlocked leaves.
    evictable: u64,
    /// Pages of all nodes, and of unlocked ones.
    pages: u64,
    unlocked: u64,
    clock: u64,
    changes: KvChanges,
}

impl RadixTree {
    pub(super) fn new(page_tokens: u32) -> Self {
        Self {
            page_tokens: u64::from(page_tokens),
            nodes: vec![Node::default()],
            unused: Vec::new(),
            children: HashMap::default(),
            leaves: BTreeSet::new(),
            evictable: 0,
            pages: 0,
            unlocked: 0,
            clock: 0,
            changes: KvChanges::default(),
        }
    }

    /// Tokens of unlocked leaves.
    pub(super) fn evictable_tokens(&self) -> u64 {
        self.evictable * self.page_tokens
    }

    /// Pages that no request holds.
    pub(super) fn unlocked_pages(&self) -> u64 {
        self.unlocked
    }

    /// Tokens in the tree.
    pub(super) fn tokens(&self) -> u64 {
        self.pages * self.page_tokens
    }

    pub(super) fn take_changes(&mut self) -> Vec<KvChange> {
        self.changes.take()
    }

    /// The longest cached prefix of `pages`: its end, and how many pages it has.
    pub(super) fn match_prefix(&mut self, pages: &[BlockId]) -> (NodeId, u64) {
        self.clock += 1;
        let (node, matched) = self.walk(0, pages);
        (NodeId(node), matched as u64)
    }

    /// How many leading pages are cached, without counting as a use.
    pub(super) fn peek(&self, mut pages: &[BlockId]) -> u64 {
        let (mut node, mut matched) = (0, 0);
        while let Some(&first) = pages.first()
            && let Some(&child) = self.children.get(&(node, first))
        {
            let own = &self.nodes[child as usize].pages;
            let common = common_pages(own, pages);
            matched += common as u64;
            if common < own.len() {
                break;
            }
            pages = &pages[common..];
            node = child;
        }
        matched
    }

    /// Adds `pages` behind node `from`: the new end, and how many of the pages
    /// were there already.
    pub(super) fn insert(&mut self, from: NodeId, pages: &[BlockId]) -> (NodeId, u64) {
        self.clock += 1;
        let (node, existing) = self.walk(from.0, pages);
        if existing == pages.len() {
            return (NodeId(node), existing as u64);
        }
        let fresh = &pages[existing..];
        for &page in fresh {
            self.changes.stored(page);
        }
        let leaf = self.new_node(Node {
            pages: fresh.to_vec(),
            parent: node,
            used: self.clock,
            ..Node::default()
        });
        self.pages += fresh.len() as u64;
        self.unlocked += fresh.len() as u64;
        self.children.insert((node, fresh[0]), leaf);
        self.change(node, |node| node.children += 1);
        self.change(leaf, |_| {});
        (NodeId(leaf), existing as u64)
    }

    /// Goes down along `pages` as far as they are cached, marks the way as
    /// used and splits the node where it ends, if inside one.
    fn walk(&mut self, from: u32, pages: &[BlockId]) -> (u32, usize) {
        let (mut node, mut done) = (from, 0);
        let clock = self.clock;
        self.change(node, |node| node.used = clock);
        while done < pages.len()
            && let Some(&child) = self.children.get(&(node, pages[done]))
        {
            let own = &self.nodes[child as usize].pages;
            let common = common_pages(own, &pages[done..]);
            node = if common < own.len() {
                self.split(child, common)
            } else {
                child
            };
            self.change(node, |node| node.used = clock);
            done += common;
        }
        (node, done)
    }

    /// Cuts the first `count` pages of a node off into a new node above it.
    fn split(&mut self, lower: u32, count: usize) -> u32 {
        let node = &mut self.nodes[lower as usize];
        let rest = node.pages.split_off(count);
        let head = std::mem::replace(&mut node.pages, rest);
        let (parent, locks, used) = (node.parent, node.locks, node.used);
        let (first, next) = (head[0], node.pages[0]);
        let was_leaf = self.leaves.contains(&(used, lower));
        self.evictable -= if was_leaf { count as u64 } else { 0 };
        let upper = self.new_node(Node {
            pages: head,
            parent,
            children: 1,
            locks,
            used,
        });
        self.nodes[lower as usize].parent = upper;
        self.children.insert((parent, first), upper);
        self.children.insert((upper, next), lower);
        upper
    }

    fn new_node(&mut self, node: Node) -> u32 {
        match self.unused.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    /// Changes a node and keeps the set of unlocked leaves true.
    fn change(&mut self, id: u32, change: impl FnOnce(&mut Node)) {
        if id == 0 {
            change(&mut self.nodes[0]);
            return;
        }
        let node = &mut self.nodes[id as usize];
        if self.leaves.remove(&(node.used, id)) {
            self.evictable -= node.pages.len() as u64;
        }
        change(node);
        if node.locks == 0 && node.children == 0 {
            self.leaves.insert((node.used, id));
            self.evictable += node.pages.len() as u64;
        }
    }

    /// Locks the path from below `above` down to `node`.
    pub(super) fn lock(&mut self, above: NodeId, node: NodeId) {
        let mut id = node.0;
        while id != above.0 && id != 0 {
            let (pages, free) = self.state(id);
            self.unlocked -= if free { pages } else { 0 };
            self.change(id, |node| node.locks += 1);
            id = self.nodes[id as usize].parent;
        }
    }

    /// Unlocks the path from the root down to `node`.
    pub(super) fn unlock(&mut self, node: NodeId) {
        let mut id = node.0;
        while id != 0 {
            self.change(id, |node| node.locks -= 1);
            let (pages, free) = self.state(id);
            self.unlocked += if free { pages } else { 0 };
            id = self.nodes[id as usize].parent;
        }
    }

    fn state(&self, id: u32) -> (u64, bool) {
        let node = &self.nodes[id as usize];
        (node.pages.len() as u64, node.locks == 0)
    }

    /// Frees unlocked leaves, least recently used first, until at least
    /// `tokens` are freed or none is left. Returns the tokens freed.
    pub(super) fn evict(&mut self, tokens: u64) -> u64 {
        let mut freed = 0;
        while freed * self.page_tokens < tokens
            && let Some(&(_, id)) = self.leaves.first()
        {
            freed += self.remove_leaf(id);
        }
        freed * self.page_tokens
    }

    fn remove_leaf(&mut self, id: u32) -> u64 {
        let node = std::mem::take(&mut self.nodes[id as usize]);
        let pages = node.pages.len() as u64;
        self.leaves.remove(&(node.used, id));
        self.evictable -= pages;
        self.unlocked -= pages;
        self.pages -= pages;
        self.children.remove(&(node.parent, node.pages[0]));
        self.unused.push(id);
        for &page in node.pages.iter().rev() {
            self.changes.removed(page);
        }
        self.change(node.parent, |parent| {
            parent.children -= 1;
            parent.used = parent.used.max(node.used);
        });
        pages
    }
}

/// How many pages two sequences begin with together.
pub(super) fn common_pages(one: &[BlockId], two: &[BlockId]) -> usize {
    one.iter().zip(two).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Chain;
    use sim_api::SegmentId;

    fn pages(segment: u32, count: u32) -> Vec<BlockId> {
        let chain = Chain::Segment(SegmentId(segment));
        (0..count).map(|index| BlockId { chain, index }).collect()
    }

    #[test]
    fn a_partial_match_splits_and_the_rest_stays_a_leaf() {
        let mut tree = RadixTree::new(4);
        let (end, existing) = tree.insert(NodeId::ROOT, &pages(0, 5));
        assert_eq!(existing, 0);
        assert_eq!(tree.evictable_tokens(), 20);
        let mut other = pages(0, 2);
        other.extend(pages(1, 3));
        assert_eq!(tree.insert(NodeId::ROOT, &other).1, 2);
        // Two leaves of 3 pages; the shared node of 2 is inner now.
        assert_eq!(tree.evictable_tokens(), 24);
        assert_eq!(tree.unlocked_pages(), 8);
        assert_eq!(tree.peek(&other), 5);
        tree.lock(NodeId::ROOT, end);
        assert_eq!(tree.evictable_tokens(), 12);
        assert_eq!(tree.unlocked_pages(), 3);
        tree.unlock(end);
        assert_eq!(tree.evictable_tokens(), 24);
    }

    #[test]
    fn whole_leaves_go_least_recently_used_first() {
        let mut tree = RadixTree::new(1);
        tree.insert(NodeId::ROOT, &pages(0, 4));
        tree.insert(NodeId::ROOT, &pages(1, 4));
        assert_eq!(tree.match_prefix(&pages(0, 4)).1, 4);
        assert_eq!(tree.evict(1), 4);
        assert_eq!(tree.peek(&pages(1, 4)), 0);
        assert_eq!(tree.peek(&pages(0, 4)), 4);
        assert_eq!(tree.evict(100), 4);
        assert_eq!((tree.tokens(), tree.unlocked_pages()), (0, 0));
    }

    #[test]
    fn a_parent_is_as_recent_as_the_child_it_lost() {
        let mut tree = RadixTree::new(1);
        let (end, _) = tree.insert(NodeId::ROOT, &pages(0, 2));
        tree.insert(NodeId::ROOT, &pages(1, 1));
        // Behind `end`, later than the other leaf.
        tree.insert(end, &pages(2, 1));
        assert_eq!(tree.evict(1), 1);
        assert_eq!(tree.peek(&pages(1, 1)), 0);
        assert_eq!(tree.evict(1), 1);
        assert_eq!(tree.peek(&pages(0, 2)), 2);
    }
}
