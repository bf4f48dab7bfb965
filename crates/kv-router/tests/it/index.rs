//! The index by hashes: the reference's cases, and agreement with a naive tree
//! and with naive sets of prefixes after any history.

use std::collections::{BTreeMap, BTreeSet};

use kv_router::{
    Block, EarlyExit, EngineHash, HashIndex, IndexError, LocalHash, Matches, Matching, PrefixIndex,
    WorkerKey, sequence_hashes,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::naive_index::{NaiveTree, Outcome};

fn worker_key(text: &str) -> WorkerKey {
    let (id, rank) = text.split_once(':').unwrap_or((text, "0"));
    WorkerKey::new(id.parse().unwrap(), rank.parse().unwrap())
}

fn numbers(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap().iter();
    list.map(|number| number.as_u64().unwrap()).collect()
}

fn locals(list: &Value) -> Vec<LocalHash> {
    numbers(list).into_iter().map(LocalHash).collect()
}

/// A prompt's blocks under their rolling hashes.
pub(crate) fn rolling_blocks(locals: &[LocalHash]) -> Vec<Block> {
    let names = sequence_hashes(locals);
    locals
        .iter()
        .zip(names)
        .map(|(&local, engine)| Block { local, engine })
        .collect()
}

/// Carries one operation of a case out; its result as the case writes it.
fn operate(index: &mut HashIndex, op: &Value) -> Value {
    let worker = || worker_key(op["w"].as_str().unwrap());
    let outcome = match op["op"].as_str().unwrap() {
        "store" => {
            let blocks: Vec<Block> = op["blocks"].as_array().unwrap().iter().map(block).collect();
            let parent = op["parent"].as_u64().map(EngineHash);
            index.store(worker(), parent, &blocks)
        }
        "store_rolling" => index.store(worker(), None, &rolling_blocks(&locals(&op["local"]))),
        "remove" => {
            let blocks: Vec<EngineHash> =
                numbers(&op["hashes"]).into_iter().map(EngineHash).collect();
            index.remove(worker(), &blocks)
        }
        "remove_rolling" => {
            let names = sequence_hashes(&locals(&op["local"]));
            let positions = numbers(&op["positions"]).into_iter();
            let blocks: Vec<EngineHash> = positions.map(|at| names[at as usize]).collect();
            index.remove(worker(), &blocks)
        }
        "clear" => {
            index.clear(worker());
            Ok(())
        }
        "remove_worker" => {
            index.remove_worker(op["id"].as_u64().unwrap());
            Ok(())
        }
        "remove_dp_rank" => {
            index.remove_worker_rank(worker());
            Ok(())
        }
        "query" => return query(index, op),
        "size" => return json!(index.size()),
        "workers" => return json!(index.workers().collect::<Vec<_>>()),
        other => panic!("unknown operation {other}"),
    };
    json!(outcome.map_or_else(error_name, |()| "ok"))
}

fn block(pair: &Value) -> Block {
    let [local, engine] = numbers(pair)[..] else {
        panic!("not a block: {pair}");
    };
    Block {
        local: LocalHash(local),
        engine: EngineHash(engine),
    }
}

fn query(index: &HashIndex, op: &Value) -> Value {
    let early_exit = match op["early_exit"].as_bool() {
        Some(true) => EarlyExit::OneWorkerLeft,
        _ => EarlyExit::Never,
    };
    let mut matches = Matches::default();
    index.query_into(&locals(&op["seq"]), early_exit, &mut matches);
    let depths = matches
        .iter()
        .map(|(worker, depth)| (format!("{}:{}", worker.id, worker.rank), depth));
    json!(depths.collect::<BTreeMap<_, _>>())
}

fn error_name(error: IndexError) -> &'static str {
    match error {
        IndexError::ParentBlockNotFound { .. } => "ParentBlockNotFound",
        IndexError::BlockNotFound { .. } => "BlockNotFound",
        IndexError::InvalidBlockSequence { .. } => "InvalidBlockSequence",
        IndexError::Full { .. } => "Full",
    }
}

fn check_cases(matching: Matching, deviations: &[(&str, usize, Value)]) {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/index_cases.json")).unwrap();
    assert_eq!(cases.len(), 25);
    for case in &cases {
        let mut index = HashIndex::new(matching);
        let expected = case["expected"].as_array().unwrap();
        let ops = case["ops"].as_array().unwrap();
        for (at, (op, expected)) in ops.iter().zip(expected).enumerate() {
            let deviation = deviations
                .iter()
                .find(|(name, step, _)| case["name"] == *name && *step == at);
            let expected = deviation.map_or(expected, |(_, _, ours)| ours);
            let got = operate(&mut index, op);
            assert_eq!(got, *expected, "{}, operation {at}", case["name"]);
        }
    }
}

#[test]
fn histories_end_as_in_the_reference_but_for_the_loop_that_it_leaves() {
    let no_loop = ("idx_self_reference_rejected", 1, json!({"1:0": 1}));
    check_cases(Matching::ReferenceShortcuts, &[no_loop]);
}

#[test]
fn exact_matching_differs_only_where_the_reference_credits_the_wrong_worker() {
    // As the reference's compressed tree has it.
    let credit = json!({"2:0": 2, "3:0": 1});
    check_cases(
        Matching::Exact,
        &[
            ("idx_self_reference_rejected", 1, json!({"1:0": 1})),
            ("idx_stale_child_equal_cardinality_false_credit", 4, credit),
        ],
    );
}

/// What can happen to an index.
#[derive(Clone, Debug)]
enum Op {
    Store(WorkerKey, Option<u64>, Vec<(u64, u64)>),
    Remove(WorkerKey, Vec<u64>),
    Clear(WorkerKey),
    RemoveWorker(u64),
    RemoveRank(WorkerKey),
}

fn any_worker() -> impl Strategy<Value = WorkerKey> {
    let rank = prop_oneof![3 => Just(0), 1 => Just(1)];
    (1..4u64, rank).prop_map(|(id, rank)| WorkerKey::new(id, rank))
}

/// Contents and names from so few that every confusion of them happens.
fn careless_store() -> impl Strategy<Value = Op> {
    let blocks = prop::collection::vec((0..2u64, 0..5u64), 1..5);
    (any_worker(), prop::option::of(0..5u64), blocks)
        .prop_map(|(worker, parent, blocks)| Op::Store(worker, parent, blocks))
}

/// A prompt of few contents under names that tell prefixes apart.
fn rolling_store() -> impl Strategy<Value = Op> {
    let prompt = prop::collection::vec(0..3u64, 1..6);
    (any_worker(), prompt).prop_map(|(worker, prompt)| {
        let pairs = prompt.iter().scan(9, |name, &local| {
            *name = *name * 4 + local;
            Some((local, *name))
        });
        Op::Store(worker, None, pairs.collect())
    })
}

fn history(store: BoxedStrategy<Op>, names: BoxedStrategy<u64>) -> impl Strategy<Value = Vec<Op>> {
    let remove = (any_worker(), prop::collection::vec(names, 1..4))
        .prop_map(|(worker, names)| Op::Remove(worker, names));
    let op = prop_oneof![
        10 => store,
        10 => remove,
        1 => any_worker().prop_map(Op::Clear),
        1 => (1..4u64).prop_map(Op::RemoveWorker),
        1 => any_worker().prop_map(Op::RemoveRank),
    ];
    prop::collection::vec(op, 1..60)
}

fn careless_history() -> impl Strategy<Value = Vec<Op>> {
    history(careless_store().boxed(), (0..5u64).boxed())
}

fn rolling_history() -> impl Strategy<Value = Vec<Op>> {
    // Names of prompts of one to three blocks.
    let name = prop_oneof![36..39u64, 144..156u64, 576..624u64];
    history(rolling_store().boxed(), name.boxed())
}

fn run(index: &mut HashIndex, naive: &mut NaiveTree, op: &Op) -> (Outcome, Outcome) {
    let outcome = |result: Result<(), IndexError>| match result {
        Ok(()) => Outcome::Done,
        Err(IndexError::ParentBlockNotFound { .. }) => Outcome::NoParent,
        Err(IndexError::BlockNotFound { block, .. }) => Outcome::Unknown(block.0),
        Err(_) => Outcome::OwnParent,
    };
    match op {
        Op::Store(worker, parent, pairs) => {
            let blocks: Vec<Block> = pairs
                .iter()
                .map(|&(local, engine)| Block {
                    local: LocalHash(local),
                    engine: EngineHash(engine),
                })
                .collect();
            let ours = index.store(*worker, parent.map(EngineHash), &blocks);
            (outcome(ours), naive.store(*worker, *parent, pairs))
        }
        Op::Remove(worker, names) => {
            let blocks: Vec<EngineHash> = names.iter().copied().map(EngineHash).collect();
            let ours = index.remove(*worker, &blocks);
            (outcome(ours), naive.remove(*worker, names))
        }
        Op::Clear(worker) => {
            index.clear(*worker);
            naive.clear(*worker);
            (Outcome::Done, Outcome::Done)
        }
        Op::RemoveWorker(id) => {
            index.remove_worker(*id);
            naive.forget(|worker| worker.id == *id);
            (Outcome::Done, Outcome::Done)
        }
        Op::RemoveRank(worker) => {
            index.remove_worker_rank(*worker);
            naive.forget(|other| other == *worker);
            (Outcome::Done, Outcome::Done)
        }
    }
}

/// All prompts of up to four blocks with contents 0 to 2, longest only.
pub(crate) fn prompts() -> impl Iterator<Item = Vec<LocalHash>> {
    (0..81u64).map(|n| {
        [n / 27, n / 9 % 3, n / 3 % 3, n % 3]
            .map(LocalHash)
            .to_vec()
    })
}

fn check_state(index: &HashIndex, naive: &NaiveTree, matching: Matching) {
    let sizes: BTreeMap<WorkerKey, usize> = index.sizes().collect();
    assert_eq!(sizes, naive.sizes());
    assert_eq!(index.size(), sizes.values().sum::<usize>());
    for prompt in prompts() {
        for early_exit in [EarlyExit::Never, EarlyExit::OneWorkerLeft] {
            let mut matches = Matches::default();
            index.query_into(&prompt, early_exit, &mut matches);
            let ours: BTreeMap<WorkerKey, u32> = matches.iter().collect();
            let theirs = naive.query(&prompt, matching, early_exit);
            assert_eq!(ours, theirs, "{prompt:?} {early_exit:?}");
        }
    }
}

fn check_history(history: &[Op], matching: Matching) {
    let mut index = HashIndex::new(matching);
    let mut naive = NaiveTree::default();
    for op in history {
        let (ours, theirs) = run(&mut index, &mut naive, op);
        assert_eq!(ours, theirs, "{op:?}");
        check_state(&index, &naive, matching);
    }
    for (worker, names) in naive.names() {
        for name in names {
            index.remove(worker, &[EngineHash(name)]).unwrap();
        }
    }
    assert_eq!((index.size(), index.distinct_blocks()), (0, 0));
}

proptest! {
    #[test]
    fn any_history_gives_what_the_naive_tree_gives(history in careless_history()) {
        check_history(&history, Matching::Exact);
    }

    #[test]
    fn any_history_of_distinct_prefixes_gives_what_the_naive_tree_gives(
        history in rolling_history(),
        shortcuts in any::<bool>(),
    ) {
        let matching = if shortcuts { Matching::ReferenceShortcuts } else { Matching::Exact };
        check_history(&history, matching);
    }

    #[test]
    fn depths_are_those_of_the_prefixes_held_when_ends_go_first(
        steps in prop::collection::vec(
            (any_worker(), prop::collection::vec(0..3u64, 1..8), any::<prop::sample::Index>(), any::<bool>()),
            1..80,
        ),
    ) {
        let mut index = HashIndex::default();
        let mut held: BTreeMap<WorkerKey, BTreeSet<Vec<LocalHash>>> = BTreeMap::new();
        for (worker, prompt, choice, evict) in steps {
            let prefixes = held.entry(worker).or_default();
            let ends: Vec<Vec<LocalHash>> = prefixes.iter().filter(|prefix| {
                !prefixes.iter().any(|other| other.len() > prefix.len() && other.starts_with(prefix))
            }).cloned().collect();
            if evict && !ends.is_empty() {
                let end = &ends[choice.index(ends.len())];
                prefixes.remove(end);
                index.remove(worker, &sequence_hashes(end)[end.len() - 1..]).unwrap();
            } else {
                let prompt: Vec<LocalHash> = prompt.into_iter().map(LocalHash).collect();
                prefixes.extend((1..=prompt.len()).map(|blocks| prompt[..blocks].to_vec()));
                index.store(worker, None, &rolling_blocks(&prompt)).unwrap();
            }
            for prompt in prompts() {
                let matches = index.query(&prompt);
                for (&worker, prefixes) in &held {
                    let depth = (1..=prompt.len()).take_while(|&blocks| prefixes.contains(&prompt[..blocks])).count();
                    prop_assert_eq!(matches.depth(worker), depth as u32);
                }
            }
        }
    }
}

#[test]
fn blocks_that_nobody_holds_do_not_pile_up() {
    let mut index = HashIndex::default();
    let (keeper, passer) = (WorkerKey::new(1, 0), WorkerKey::new(2, 0));
    index
        .store(keeper, None, &rolling_blocks(&[LocalHash(1)]))
        .unwrap();
    for n in 0..20_000 {
        let prompt = [1, n, n + 7].map(LocalHash);
        let blocks = rolling_blocks(&prompt);
        index.store(passer, None, &blocks).unwrap();
        index
            .remove(passer, &[blocks[2].engine, blocks[1].engine])
            .unwrap();
    }
    assert_eq!(index.size(), 2);
    assert!(
        index.distinct_blocks() < 1100,
        "{}",
        index.distinct_blocks()
    );
    let matches = index.query(&[1, 5, 12].map(LocalHash));
    assert_eq!((matches.depth(keeper), matches.depth(passer)), (1, 1));
}

#[test]
fn a_block_costs_at_most_forty_bytes_even_when_tables_have_just_grown() {
    let mut index = HashIndex::default();
    // One more than fit into the table of names before it doubles.
    let last_that_fits = (1 << 17) / 8 * 7;
    for n in 0..=last_that_fits / 128 {
        let prompt: Vec<LocalHash> = (0..128).map(|at| LocalHash(n * 128 + at)).collect();
        let worker = WorkerKey::new(n % 4, 0);
        index.store(worker, None, &rolling_blocks(&prompt)).unwrap();
    }
    let bytes = index.heap_bytes() as f64 / index.size() as f64;
    assert!((30.0..40.0).contains(&bytes), "{bytes}");
}

#[test]
fn errors_say_who_and_what() {
    let mut index = HashIndex::default();
    let worker = WorkerKey::new(4, 2);
    let error = index
        .store(worker, Some(EngineHash(0xab)), &[])
        .unwrap_err();
    assert!(error.to_string().contains("worker 4:2") && error.to_string().contains("0xab"));
    let error = index.remove(worker, &[EngineHash(0xcd)]).unwrap_err();
    assert!(error.to_string().contains("worker 4:2") && error.to_string().contains("0xcd"));
}
