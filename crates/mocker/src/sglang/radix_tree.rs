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

use super::pages::Pages;

/// A node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// The node of no pages. Never locked out of use, never evicted.
    pub(super) const ROOT: Self = Self(0);
}

#[derive(Clone, Debug, Default)]
struct Node {
    pages: Pages,
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
    pub(super) fn match_prefix(&mut self, pages: &Pages) -> (NodeId, u64) {
        self.clock += 1;
        let (node, matched) = self.walk(0, pages);
        (NodeId(node), matched)
    }

    /// How many leading pages are cached, without counting as a use.
    pub(super) fn peek(&self, pages: &Pages) -> u64 {
        let (mut node, mut matched) = (0, 0);
        let mut rest = pages.clone();
        while let Some(child) = self.child(node, &rest) {
            let own = &self.nodes[child as usize].pages;
            let common = own.common(&rest);
            matched += common;
            if common < own.len() {
                break;
            }
            rest = rest.slice(common, u64::MAX);
            node = child;
        }
        matched
    }

    /// The child of a node that begins like `pages`.
    fn child(&self, node: u32, pages: &Pages) -> Option<u32> {
        let first = pages.first()?;
        self.children.get(&(node, first)).copied()
    }

    fn set_child(&mut self, node: u32, pages: &Pages, child: u32) {
        if let Some(first) = pages.first() {
            self.children.insert((node, first), child);
        }
    }

    /// Adds `pages` behind node `from`: the new end, and how many of the pages
    /// were there already.
    pub(super) fn insert(&mut self, from: NodeId, pages: &Pages) -> (NodeId, u64) {
        self.clock += 1;
        let (node, existing) = self.walk(from.0, pages);
        let fresh = pages.slice(existing, u64::MAX);
        if fresh.first().is_none() {
            return (NodeId(node), existing);
        }
        for run in fresh.runs() {
            self.changes.stored(BlockId {
                chain: run.chain,
                index: run.from + run.count - 1,
            });
        }
        self.pages += fresh.len();
        self.unlocked += fresh.len();
        let leaf = self.new_node(Node {
            pages: fresh.clone(),
            parent: node,
            used: self.clock,
            ..Node::default()
        });
        self.set_child(node, &fresh, leaf);
        self.change(node, |node| node.children += 1);
        self.change(leaf, |_| {});
        (NodeId(leaf), existing)
    }

    /// Goes down along `pages` as far as they are cached, marks the way as
    /// used and splits the node where it ends, if inside one.
    fn walk(&mut self, from: u32, pages: &Pages) -> (u32, u64) {
        let (mut node, mut done) = (from, 0);
        let clock = self.clock;
        self.change(node, |node| node.used = clock);
        let mut rest = pages.clone();
        while let Some(child) = self.child(node, &rest) {
            let own = &self.nodes[child as usize].pages;
            let common = own.common(&rest);
            node = if common < own.len() {
                self.split(child, common)
            } else {
                child
            };
            self.change(node, |node| node.used = clock);
            done += common;
            rest = rest.slice(common, u64::MAX);
        }
        (node, done)
    }

    /// Cuts the first `count` pages of a node off into a new node above it.
    fn split(&mut self, lower: u32, count: u64) -> u32 {
        let node = &mut self.nodes[lower as usize];
        let head = node.pages.slice(0, count);
        let tail = node.pages.slice(count, u64::MAX);
        node.pages = tail.clone();
        let (parent, locks, used) = (node.parent, node.locks, node.used);
        let was_leaf = self.leaves.contains(&(used, lower));
        self.evictable -= if was_leaf { count } else { 0 };
        let upper = self.new_node(Node {
            pages: head.clone(),
            parent,
            children: 1,
            locks,
            used,
        });
        self.nodes[lower as usize].parent = upper;
        self.set_child(parent, &head, upper);
        self.set_child(upper, &tail, lower);
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
            self.evictable -= node.pages.len();
        }
        change(node);
        if node.locks == 0 && node.children == 0 {
            self.leaves.insert((node.used, id));
            self.evictable += node.pages.len();
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
        (node.pages.len(), node.locks == 0)
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
        let pages = node.pages.len();
        self.leaves.remove(&(node.used, id));
        self.evictable -= pages;
        self.unlocked -= pages;
        self.pages -= pages;
        if let Some(first) = node.pages.first() {
            self.children.remove(&(node.parent, first));
        }
        self.unused.push(id);
        for run in node.pages.runs().iter().rev() {
            self.changes
                .removed(run.chain, run.from, run.from + run.count);
        }
        self.change(node.parent, |parent| {
            parent.children -= 1;
            parent.used = parent.used.max(node.used);
        });
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_api::{KvRun, Prompt, SegmentId};

    /// Segments with how many pages of each.
    fn path(runs: &[(u32, u32)]) -> Pages {
        let run = |&(segment, blocks): &(u32, u32)| KvRun {
            segment: SegmentId(segment),
            blocks,
        };
        let runs: Vec<KvRun> = runs.iter().map(run).collect();
        Pages::of_prompt(&Prompt::new(1000, runs.into()))
    }

    fn pages(segment: u32, count: u32) -> Pages {
        path(&[(segment, count)])
    }

    #[test]
    fn a_partial_match_splits_and_the_rest_stays_a_leaf() {
        let mut tree = RadixTree::new(4);
        let (end, existing) = tree.insert(NodeId::ROOT, &pages(0, 5));
        assert_eq!(existing, 0);
        assert_eq!(tree.evictable_tokens(), 20);
        let other = path(&[(0, 2), (1, 3)]);
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
