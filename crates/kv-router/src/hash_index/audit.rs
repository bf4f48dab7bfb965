//! All counts and marks of the index, recounted after any history.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::arena::NodeId;
use super::block_hash::{Block, EngineHash, LocalHash, WorkerKey};
use super::index::HashIndex;
use super::query::{Matches, PrefixIndex};

/// Blocks that a worker holds and knows by their own name, and nothing else.
fn plain(index: &HashIndex, slot: usize) -> impl Iterator<Item = NodeId> {
    let special = &index.workers[slot].special;
    let nodes = &index.tree.nodes;
    (1..nodes.end()).map(NodeId).filter(move |&id| {
        nodes.is_used(id) && index.tree.holds(id, slot) && !special.contains_key(&id)
    })
}

fn audit(index: &HashIndex) {
    let mut strays = BTreeMap::new();
    let mut resident = 0;
    for (key, handles) in index.sizes() {
        let slot = index.workers.slot(key).unwrap();
        let worker = &index.workers[slot];
        let mut names = BTreeMap::new();
        for &id in worker.names.values() {
            assert!(index.tree.nodes.is_used(id));
            *names.entry(id).or_insert(0) += 1;
        }
        for (&id, own) in &worker.special {
            assert!(index.tree.nodes[id].is_renamed());
            assert_eq!(names.remove(&id).unwrap_or(0), own.count);
            let name = own.any();
            assert!(name.is_none_or(|name| worker.names.get(&name) == Some(&id)));
            if !index.tree.holds(id, slot) {
                assert!(own.count > 0);
                *strays.entry(id).or_insert(0) += 1;
            }
        }
        assert!(names.is_empty(), "names of blocks that are not special");
        assert_eq!(handles, worker.names.len() + plain(index, slot).count());
        assert!(handles > 0 || worker.special.is_empty());
        resident += handles;
    }
    assert_eq!(index.size(), resident);
    index.tree.audit(&strays);
}

/// All names of all workers, the blocks that they stand for, and whether
/// something leads to these.
fn names(index: &HashIndex) -> Vec<Option<(NodeId, bool)>> {
    let slots = index
        .sizes()
        .map(|(key, _)| index.workers.slot(key).unwrap());
    let named = |slot, name| {
        let id = index.named(slot, name)?;
        Some((id, index.tree.nodes[id].is_linked()))
    };
    slots
        .flat_map(|slot| (0..NAMES).map(move |name| named(slot, name)))
        .collect()
}

/// Answers for all prompts of four blocks.
fn answers(index: &HashIndex) -> Vec<Matches> {
    let prompts = (0..16_u64).map(|n| [n >> 3, n >> 2 & 1, n >> 1 & 1, n & 1].map(LocalHash));
    prompts.map(|prompt| index.query(&prompt)).collect()
}

const NAMES: u64 = 5;

#[derive(Clone, Debug)]
enum Op {
    Store(u64, Option<u64>, Vec<(u64, u64)>),
    Remove(u64, Vec<u64>),
    Clear(u64),
    Forget(u64),
    Sweep,
}

/// So few contents, names and workers that all confusions happen.
fn op() -> impl Strategy<Value = Op> {
    let blocks = prop::collection::vec((0..2_u64, 0..NAMES), 1..5);
    let parent = prop::option::of(0..NAMES);
    let names = prop::collection::vec(0..NAMES, 1..3);
    prop_oneof![
        12 => (0..3_u64, parent, blocks).prop_map(|(id, parent, blocks)| Op::Store(id, parent, blocks)),
        12 => (0..3_u64, names).prop_map(|(id, names)| Op::Remove(id, names)),
        1 => (0..3_u64).prop_map(Op::Clear),
        1 => (0..3_u64).prop_map(Op::Forget),
        2 => Just(Op::Sweep),
    ]
}

fn apply(index: &mut HashIndex, op: &Op) {
    let worker = |&id: &u64| WorkerKey::new(id, 0);
    match op {
        Op::Store(id, parent, blocks) => {
            let block = |&(local, engine): &(u64, u64)| Block {
                local: LocalHash(local),
                engine: EngineHash(engine),
            };
            let blocks: Vec<Block> = blocks.iter().map(block).collect();
            // Refused stores must leave all in order too.
            let _ = index.store(worker(id), parent.map(EngineHash), &blocks);
        }
        Op::Remove(id, names) => {
            let names: Vec<EngineHash> = names.iter().copied().map(EngineHash).collect();
            let _ = index.remove(worker(id), &names);
        }
        Op::Clear(id) => index.clear(worker(id)),
        Op::Forget(id) => index.remove_worker(*id),
        Op::Sweep => {
            let before = (names(index), answers(index));
            index.tree.sweep();
            let after = (names(index), answers(index));
            assert_eq!(before, after, "a sweep takes only what nobody can notice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn counts_and_marks_are_right_after_any_history(
        history in prop::collection::vec(op(), 1..80),
    ) {
        let mut index = HashIndex::default();
        for op in &history {
            apply(&mut index, op);
            audit(&index);
        }
    }
}
