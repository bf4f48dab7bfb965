//! The tracker of active load: the reference's cases, and agreement with a
//! naive set of blocks after any history.

use std::collections::{BTreeMap, BTreeSet};

use kv_router::{
    EngineHash, PrefillHint, PromptBlocks, RankLoad, SequenceError, SequenceTracker, WorkerKey,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sim_core::{SimDuration, SimTime};

const CASES: &str = include_str!("../fixtures/sequence_cases.json");

fn worker_key(text: &str) -> WorkerKey {
    let (id, rank) = text.split_once(':').unwrap_or((text, "0"));
    WorkerKey::new(id.parse().unwrap(), rank.parse().unwrap())
}

fn name(worker: WorkerKey) -> String {
    format!("{}:{}", worker.id, worker.rank)
}

fn workers(list: &Value) -> Vec<WorkerKey> {
    let list = list.as_array().unwrap().iter();
    list.map(|worker| WorkerKey::new(worker["id"].as_u64().unwrap(), 0))
        .collect()
}

fn ns(ms: &Value) -> Option<u64> {
    ms.as_u64().map(|ms| ms * 1_000_000)
}

fn tokens(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

fn outcome(result: Result<(), SequenceError>) -> Value {
    match result {
        Ok(()) => json!("ok"),
        Err(SequenceError::RequestNotFound { request }) => {
            json!(format!("Request {request} not found"))
        }
        Err(SequenceError::DuplicateRequest { request, worker }) => json!(format!(
            "Request {request} already exists (assigned to worker WorkerWithDpRank {{ \
             worker_id: {}, dp_rank: {} }})",
            worker.id, worker.rank
        )),
        Err(error) => panic!("{error}"),
    }
}

fn loads(list: impl Iterator<Item = RankLoad>, blocks: &str, tokens: &str) -> Value {
    let (mut by_blocks, mut by_tokens) = (Map::new(), Map::new());
    for load in list {
        by_blocks.insert(name(load.worker), json!(load.blocks));
        by_tokens.insert(name(load.worker), json!(load.prefill_tokens));
    }
    json!({blocks: by_blocks, tokens: by_tokens})
}

/// Carries one operation of a case out; its result as the case writes it.
fn operate(tracker: &mut SequenceTracker, op: &Value) -> Value {
    let now = SimTime::from_ns(ns(&op["at_ms"]).unwrap_or(0));
    let id = op["id"].as_str().unwrap_or_default();
    let hashes: Option<Vec<EngineHash>> = op["seq"].as_array().map(|list| {
        let list = list.iter();
        list.map(|hash| EngineHash(hash.as_u64().unwrap()))
            .collect()
    });
    let blocks = hashes
        .as_deref()
        .map_or(PromptBlocks::Untracked, PromptBlocks::Shared);
    let track = op["track"].as_bool().unwrap_or(true);
    match op["op"].as_str().unwrap() {
        "add" => {
            let hint = track.then(|| PrefillHint {
                tokens: tokens(&op["prefill"]),
                expected: ns(&op["duration_ms"]).map(SimDuration::from_ns),
            });
            let worker = worker_key(op["w"].as_str().unwrap());
            outcome(tracker.add(now, id, worker, blocks, hint))
        }
        "prefill_done" => outcome(tracker.prefill_done(now, id)),
        "free" => {
            tracker.free(now, id);
            json!("ok")
        }
        "output" => outcome(tracker.add_output_block(id, op["frac"].as_f64())),
        "update_workers" => {
            tracker.update_workers(workers(&op["workers"]));
            json!("ok")
        }
        "active" => loads(tracker.active(now), "blocks", "tokens"),
        "potential" => {
            let isl = if track { tokens(&op["isl"]) } else { 0 };
            let cached = |worker| op["cached"].get(name(worker)).map_or(0, tokens);
            let list = tracker.potential(now, blocks, isl, cached);
            loads(list, "decode_blocks", "prefill_tokens")
        }
        other => panic!("unknown operation {other}"),
    }
}

#[test]
fn loads_are_those_of_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 15);
    for case in &cases {
        let mut tracker = SequenceTracker::default();
        tracker.update_workers(workers(&case["workers"]));
        let ops = case["ops"].as_array().unwrap();
        assert_eq!(ops.len(), case["expected"].as_array().unwrap().len());
        for (at, op) in ops.iter().enumerate() {
            let result = operate(&mut tracker, op);
            assert_eq!(result, case["expected"][at], "{} op {at}", case["name"]);
        }
    }
}

#[test]
fn fractions_outside_0_to_1_change_nothing() {
    let mut tracker = SequenceTracker::default();
    let (now, worker) = (SimTime::from_ns(0), WorkerKey::new(0, 0));
    tracker
        .add(now, "a", worker, PromptBlocks::Private(3), None)
        .unwrap();
    for fraction in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let refused = tracker.add_output_block("a", Some(fraction));
        assert!(matches!(
            refused,
            Err(SequenceError::InvalidFraction { .. })
        ));
    }
    assert_eq!(tracker.active(now).next().unwrap().blocks, 3);
}

proptest! {
    #[test]
    fn shared_blocks_count_once_and_a_full_drain_leaves_nothing(
        steps in prop::collection::vec(
            (0_u8..12, 0_u64..2, 0_u64..4, 0_usize..7, prop::option::of(0.0..=1.0_f64)),
            1..60,
        ),
    ) {
        let now = SimTime::from_ns(0);
        let mut tracker = SequenceTracker::default();
        let mut naive: BTreeMap<String, (u64, Vec<EngineHash>)> = BTreeMap::new();
        let hint = Some(PrefillHint { tokens: 5, expected: None });
        for &(id, worker, branch, length, fraction) in &steps {
            let id = id.to_string();
            // Two shared blocks, then the branch's own.
            let seq: Vec<EngineHash> = (0..length as u64)
                .map(|at| EngineHash(if at < 2 { at } else { 100 * (branch + 1) + at }))
                .collect();
            if naive.remove(&id).is_some() {
                if let Some(fraction) = fraction {
                    tracker.add_output_block(&id, Some(fraction)).unwrap();
                }
                prop_assert!(tracker.free(now, &id));
            } else {
                let key = WorkerKey::new(worker, 0);
                tracker.add(now, &id, key, PromptBlocks::Shared(&seq), hint).unwrap();
                naive.insert(id, (worker, seq));
            }
            if fraction.is_some() {
                for id in naive.keys() {
                    tracker.prefill_done(now, id).unwrap();
                }
            }
            // Fractions come only right before an end, and to blocks that end with it.
            for load in tracker.active(now) {
                let held = naive.values().filter(|one| one.0 == load.worker.id);
                let distinct: BTreeSet<EngineHash> = held.flat_map(|one| one.1.clone()).collect();
                prop_assert_eq!(load.blocks, distinct.len() as u64);
            }
        }
        for id in naive.keys() {
            prop_assert!(tracker.free(now, id));
        }
        prop_assert!(tracker.is_idle());
    }
}
