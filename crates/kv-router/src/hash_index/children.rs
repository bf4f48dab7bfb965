//! What follows a block: nothing, one block (four bytes), or a branch.
//!
//! A single child is recognised by its own content hash. Whatever cannot be
//! told so (several children, or a child that this parent reaches by another
//! content hash than its first parent) is a branch with explicit hashes.

use hashbrown::HashTable;

use super::arena::{Arena, NodeId};
use super::handles::mix;

/// Up to here a branch is searched from front to back.
const SHORT: usize = 8;

/// The children of one block, as kept in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Children(u32);

/// The number is that of a branch, not of a child.
const BRANCH: u32 = 1 << 31;

enum Shape {
    None,
    One(NodeId),
    Many(usize),
}

impl Children {
    /// No children. The root is nobody's child, so its number is free for this.
    pub(super) const NONE: Self = Self(0);

    /// A free block's link to the next.
    pub(super) fn next_free(next: NodeId) -> Self {
        Self(next.0)
    }

    /// The next free block after this one.
    pub(super) fn as_next_free(self) -> NodeId {
        NodeId(self.0)
    }

    fn shape(self) -> Shape {
        match self.0 {
            0 => Shape::None,
            id if id & BRANCH == 0 => Shape::One(NodeId(id)),
            branch => Shape::Many((branch & !BRANCH) as usize),
        }
    }
}

/// A way from a parent to a child.
#[derive(Clone, Copy, Debug)]
struct Edge {
    local: u64,
    child: NodeId,
}

#[derive(Debug, Default)]
struct Branch {
    edges: Vec<Edge>,
    /// Positions in `edges`, once there are too many to search.
    by_local: HashTable<u32>,
}

impl Branch {
    fn get(&self, local: u64) -> Option<NodeId> {
        if self.edges.len() <= SHORT {
            let found = self.edges.iter().find(|edge| edge.local == local);
            return found.map(|edge| edge.child);
        }
        let found = self
            .by_local
            .find(mix(local), |&at| self.edges[at as usize].local == local);
        found.map(|&at| self.edges[at as usize].child)
    }

    fn push(&mut self, edge: Edge) {
        self.edges.push(edge);
        if self.edges.len() == SHORT + 1 {
            self.by_local.clear();
            for at in 0..self.edges.len() {
                self.index(at);
            }
        } else if self.edges.len() > SHORT {
            self.index(self.edges.len() - 1);
        }
    }

    fn index(&mut self, at: usize) {
        let edges = &self.edges;
        self.by_local
            .insert_unique(mix(edges[at].local), at as u32, |&at| {
                mix(edges[at as usize].local)
            });
    }

    fn retain(&mut self, keep: impl FnMut(&Edge) -> bool) {
        self.edges.retain(keep);
        self.by_local.clear();
        if self.edges.len() > SHORT {
            for at in 0..self.edges.len() {
                self.index(at);
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.edges.capacity() * size_of::<Edge>() + self.by_local.allocation_size()
    }
}

/// All branches.
#[derive(Debug, Default)]
pub(super) struct Branches {
    branches: Vec<Branch>,
    free: Vec<u32>,
}

impl Branches {
    /// The child that a parent leads to by a content hash.
    pub(super) fn child(&self, nodes: &Arena, parent: NodeId, local: u64) -> Option<NodeId> {
        match nodes[parent].children.shape() {
            Shape::None => None,
            Shape::One(child) => (nodes[child].local == local).then_some(child),
            Shape::Many(branch) => self.branches[branch].get(local),
        }
    }

    /// Lets a parent lead to a child by a content hash by which it leads nowhere yet.
    pub(super) fn link(&mut self, nodes: &mut Arena, parent: NodeId, local: u64, child: NodeId) {
        let edge = Edge { local, child };
        let first = match nodes[parent].children.shape() {
            Shape::Many(branch) => return self.branches[branch].push(edge),
            Shape::None if nodes[child].local == local => {
                nodes[parent].children = Children(child.0);
                return;
            }
            Shape::None => None,
            Shape::One(first) => Some(Edge {
                local: nodes[first].local,
                child: first,
            }),
        };
        let id = self.free.pop().unwrap_or_else(|| {
            self.branches.push(Branch::default());
            (self.branches.len() - 1) as u32
        });
        let branch = &mut self.branches[id as usize];
        first.into_iter().for_each(|first| branch.push(first));
        branch.push(edge);
        nodes[parent].children = Children(id | BRANCH);
    }

    /// Lets a parent lead nowhere; tells each child that it led to.
    pub(super) fn cut(&mut self, nodes: &mut Arena, parent: NodeId, children: &mut Vec<NodeId>) {
        let before = std::mem::replace(&mut nodes[parent].children, Children::NONE);
        match before.shape() {
            Shape::None => {}
            Shape::One(child) => children.push(child),
            Shape::Many(id) => {
                let branch = std::mem::take(&mut self.branches[id]);
                children.extend(branch.edges.iter().map(|edge| edge.child));
                self.free.push(id as u32);
            }
        }
    }

    /// Cuts the ways from a parent to those children that `lost` chooses, and
    /// tells them.
    pub(super) fn cut_if(
        &mut self,
        nodes: &mut Arena,
        parent: NodeId,
        children: &mut Vec<NodeId>,
        lost: impl Fn(&Arena, NodeId) -> bool,
    ) {
        match nodes[parent].children.shape() {
            Shape::None => {}
            Shape::One(child) => {
                if lost(nodes, child) {
                    self.cut(nodes, parent, children);
                }
            }
            Shape::Many(id) => {
                let branch = &mut self.branches[id];
                if !branch.edges.iter().any(|edge| lost(nodes, edge.child)) {
                    return;
                }
                branch.retain(|edge| {
                    let lost = lost(nodes, edge.child);
                    if lost {
                        children.push(edge.child);
                    }
                    !lost
                });
                self.simplify(nodes, parent, id);
            }
        }
    }

    /// Turns a branch of no or one child back into the shorter form.
    fn simplify(&mut self, nodes: &mut Arena, parent: NodeId, id: usize) {
        nodes[parent].children = match self.branches[id].edges[..] {
            [] => Children::NONE,
            [edge] if nodes[edge.child].local == edge.local => Children(edge.child.0),
            _ => return,
        };
        self.branches[id] = Branch::default();
        self.free.push(id as u32);
    }

    /// Where a parent leads, once for every way.
    #[cfg(test)]
    pub(super) fn children(&self, nodes: &Arena, parent: NodeId) -> Vec<NodeId> {
        match nodes[parent].children.shape() {
            Shape::None => Vec::new(),
            Shape::One(child) => vec![child],
            Shape::Many(branch) => {
                let edges = self.branches[branch].edges.iter();
                edges.map(|edge| edge.child).collect()
            }
        }
    }

    /// Heap bytes reserved.
    pub(super) fn heap_bytes(&self) -> usize {
        let own = self.branches.capacity() * size_of::<Branch>();
        let free = self.free.capacity() * size_of::<u32>();
        own + free + self.branches.iter().map(Branch::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_in_every_shape_and_shapes_shrink_again() {
        let mut nodes = Arena::default();
        let mut branches = Branches::default();
        let ids: Vec<NodeId> = (0..40).map(|n| nodes.insert(n, n).unwrap()).collect();
        for (at, &id) in ids.iter().enumerate() {
            branches.link(&mut nodes, NodeId::ROOT, at as u64, id);
            for (n, &id) in ids.iter().enumerate() {
                let expected = (n <= at).then_some(id);
                let found = branches.child(&nodes, NodeId::ROOT, n as u64);
                assert_eq!(found, expected);
            }
        }
        for keep in [20, 9, 8, 3, 1, 0] {
            let mut lost = Vec::new();
            branches.cut_if(&mut nodes, NodeId::ROOT, &mut lost, |_, id| {
                id.0 as usize > keep
            });
            for (n, &id) in ids.iter().enumerate() {
                let expected = (id.0 as usize <= keep).then_some(id);
                let found = branches.child(&nodes, NodeId::ROOT, n as u64);
                assert_eq!(found, expected);
            }
        }
        assert_eq!(nodes[NodeId::ROOT].children, Children::NONE);
    }

    #[test]
    fn a_child_can_be_reached_by_another_hash_than_its_own() {
        let mut nodes = Arena::default();
        let mut branches = Branches::default();
        let child = nodes.insert(5, 5).unwrap();
        branches.link(&mut nodes, NodeId::ROOT, 6, child);
        assert_eq!(branches.child(&nodes, NodeId::ROOT, 6), Some(child));
        assert_eq!(branches.child(&nodes, NodeId::ROOT, 5), None);
        let mut lost = Vec::new();
        branches.cut(&mut nodes, NodeId::ROOT, &mut lost);
        assert_eq!(lost, [child]);
        assert_eq!(branches.child(&nodes, NodeId::ROOT, 6), None);
    }
}
