//! The tree of blocks: who follows whom, who is held by whom, and which blocks
//! can go.
//!
//! Blocks are per content *and* prefix. A block without holders stays linked
//! under its parent but loses its children; children that a worker still holds
//! become orphans, found again only by their names. Knows workers by slots and
//! nothing of what they call blocks.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::arena::{Arena, NodeId};
use super::children::Branches;
use super::handles::Names;
use super::sets::{SetId, WorkerSets};

/// Unheld blocks that are always tolerated before a sweep.
const TOLERATED: usize = 1024;

/// Names that are worth announcing together: as many as a processor can wait
/// for at a time, about.
pub(super) const WARM_UP: usize = 16;

/// All blocks and their holders.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The blocks.
    pub(super) nodes: Arena,
    /// The distinct sets of holders.
    pub(super) sets: WorkerSets,
    names: Names,
    branches: Branches,
    /// Blocks with several parents: how many beyond the first.
    extra_links: HashMap<NodeId, u32, FxBuildHasher>,
    /// Blocks that workers have names for without holding them: how many workers.
    strays: HashMap<NodeId, u32, FxBuildHasher>,
    /// Blocks with a holder.
    held: usize,
    /// Unheld blocks that the last sweep had to leave.
    left_by_sweep: usize,
    /// Work list: blocks that have just lost a link.
    unlinked: Vec<NodeId>,
}

impl Tree {
    /// The block that follows `parent` with that content.
    pub(super) fn child(&self, parent: NodeId, local: u64) -> Option<NodeId> {
        self.branches.child(&self.nodes, parent, local)
    }

    /// A block that got that name first and that the caller accepts.
    pub(super) fn find(&self, engine: u64, accept: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        self.names.find(&self.nodes, engine, accept)
    }

    /// A block that got that name first and is accepted, or a new one, and
    /// whether it is new; `None` when the tree is full.
    pub(super) fn find_or_create(
        &mut self,
        local: u64,
        engine: u64,
        accept: impl Fn(&Arena, &WorkerSets, NodeId) -> bool,
    ) -> Option<(NodeId, bool)> {
        let sets = &self.sets;
        self.names
            .find_or_insert(&mut self.nodes, (local, engine), |nodes, id| {
                accept(nodes, sets, id)
            })
    }

    /// Says which names will be looked up next: [`WARM_UP`] or fewer.
    pub(super) fn warm_up(&self, names: impl Iterator<Item = u64>) {
        self.names.warm_up(&self.nodes, names);
    }

    /// Whether some name was given first to several blocks.
    pub(super) fn has_namesakes(&self) -> bool {
        self.names.any_repeated()
    }

    /// Lets `child` follow `parent`, which nothing with that content does yet.
    pub(super) fn link(&mut self, parent: NodeId, local: u64, child: NodeId) {
        if self.nodes[child].is_linked() {
            *self.extra_links.entry(child).or_insert(0) += 1;
        }
        self.nodes[child].mark_linked(true);
        self.branches.link(&mut self.nodes, parent, local, child);
    }

    /// Whether a worker holds a block.
    pub(super) fn holds(&self, id: NodeId, slot: usize) -> bool {
        self.sets.contains(self.nodes[id].set(), slot)
    }

    /// Makes a worker, which is none yet, a holder.
    pub(super) fn join(&mut self, id: NodeId, slot: usize) {
        let node = &mut self.nodes[id];
        self.held += usize::from(node.set() == SetId::EMPTY);
        node.replace_set(self.sets.join(node.set(), slot));
    }

    /// Makes a holder none.
    pub(super) fn leave(&mut self, id: NodeId, slot: usize) {
        let node = &mut self.nodes[id];
        node.replace_set(self.sets.leave(node.set(), slot));
        self.held -= usize::from(node.set() == SetId::EMPTY);
    }

    /// One more worker has names for a block without holding it.
    pub(super) fn add_stray(&mut self, id: NodeId) {
        *self.strays.entry(id).or_insert(0) += 1;
    }

    /// One worker less has names for a block without holding it.
    pub(super) fn remove_stray(&mut self, id: NodeId) {
        if let Some(workers) = self.strays.get_mut(&id) {
            *workers -= 1;
            if *workers == 0 {
                self.strays.remove(&id);
            }
        }
    }

    /// What a removal does to a block beyond its holders: without any, its
    /// children are cut off, and it goes if nothing leads to it.
    pub(super) fn settle(&mut self, id: NodeId) {
        if self.nodes[id].set() != SetId::EMPTY {
            return;
        }
        self.cut_children(id);
        self.free_if_dead(id);
    }

    /// Frees a block that nothing leads to and nobody holds or names.
    pub(super) fn free_if_dead(&mut self, id: NodeId) {
        if self.is_dead(id) {
            self.free(id);
            self.drain_unlinked();
        }
    }

    fn cut_children(&mut self, id: NodeId) {
        self.branches.cut(&mut self.nodes, id, &mut self.unlinked);
        self.drain_unlinked();
    }

    /// Takes one link from each block of the work list, and frees what is dead then.
    fn drain_unlinked(&mut self) {
        while let Some(id) = self.unlinked.pop() {
            match self.extra_links.get_mut(&id) {
                None => self.nodes[id].mark_linked(false),
                Some(1) => drop(self.extra_links.remove(&id)),
                Some(links) => *links -= 1,
            }
            if self.is_dead(id) {
                self.free(id);
            }
        }
    }

    fn is_dead(&self, id: NodeId) -> bool {
        !self.nodes[id].is_linked() && self.is_unused(id)
    }

    /// Whether nobody holds or names a block.
    fn is_unused(&self, id: NodeId) -> bool {
        let node = &self.nodes[id];
        node.set() == SetId::EMPTY && !(node.is_renamed() && self.strays.contains_key(&id))
    }

    fn free(&mut self, id: NodeId) {
        self.branches.cut(&mut self.nodes, id, &mut self.unlinked);
        self.names.remove(&self.nodes, id);
        self.nodes.remove(id);
    }

    /// Frees blocks that nobody holds or names although a parent leads to them,
    /// once they are more than an eighth of all. One pass over the arena.
    pub(super) fn sweep_if_due(&mut self) {
        let tolerated = (self.nodes.blocks() / 8).max(TOLERATED) + self.left_by_sweep;
        if self.unheld() > tolerated {
            self.sweep();
        }
    }

    /// See [`Self::sweep_if_due`].
    pub(super) fn sweep(&mut self) {
        let mut unlinked = std::mem::take(&mut self.unlinked);
        for parent in (0..self.nodes.end()).map(NodeId) {
            if !self.nodes.is_used(parent) {
                continue;
            }
            let strays = &self.strays;
            let is_stale = |nodes: &Arena, id: NodeId| {
                let node = &nodes[id];
                node.set() == SetId::EMPTY
                    && node.children == super::children::Children::NONE
                    && !strays.contains_key(&id)
            };
            self.branches
                .cut_if(&mut self.nodes, parent, &mut unlinked, is_stale);
        }
        self.unlinked = unlinked;
        self.drain_unlinked();
        self.left_by_sweep = self.unheld();
    }

    fn unheld(&self) -> usize {
        (self.nodes.blocks() - self.held).saturating_sub(self.strays.len())
    }

    /// Panics unless all counts are those of the links, holders and names, which
    /// `strays` gives, and no block is left that nothing leads to.
    #[cfg(test)]
    pub(super) fn audit(&self, strays: &std::collections::BTreeMap<NodeId, u32>) {
        let ids = (0..self.nodes.end()).map(NodeId);
        let used: Vec<NodeId> = ids.filter(|&id| self.nodes.is_used(id)).collect();
        let mut links = vec![0_u32; self.nodes.end() as usize];
        for &parent in &used {
            for child in self.branches.children(&self.nodes, parent) {
                assert!(
                    self.nodes.is_used(child),
                    "{parent:?} leads to a freed block"
                );
                links[child.0 as usize] += 1;
            }
        }
        let blocks = &used[1..];
        assert_eq!(self.nodes.blocks(), blocks.len());
        for &id in blocks {
            let extra = self.extra_links.get(&id).map_or(0, |&extra| {
                assert!(extra > 0);
                extra
            });
            let known = u32::from(self.nodes[id].is_linked()) + extra;
            assert_eq!(known, links[id.0 as usize], "links of {id:?}");
            assert!(!self.is_dead(id), "{id:?} is left");
        }
        let sets: Vec<SetId> = blocks.iter().map(|&id| self.nodes[id].set()).collect();
        self.sets.audit(&sets);
        let held = sets.iter().filter(|&&set| set != SetId::EMPTY).count();
        assert_eq!(self.held, held);
        self.names.audit(&self.nodes, blocks);
        let known = self.strays.iter().map(|(&id, &workers)| (id, workers));
        assert_eq!(&known.collect::<std::collections::BTreeMap<_, _>>(), strays);
    }

    /// Heap bytes reserved.
    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.heap_bytes()
            + self.sets.heap_bytes()
            + self.names.heap_bytes()
            + self.branches.heap_bytes()
            + self.extra_links.allocation_size()
            + self.strays.allocation_size()
    }
}
