//! The reference's router as a replay drives it: placements, overlaps, queue.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use kv_router::{KvRouter, PrefillEstimator, RouterConfig, Side};
use serde_json::Value;
use sim_api::{
    Dispatch, KvChange, Prompt, Quirks, RequestId, Role, Router, RouterEvent, RoutingRequest,
    SessionId, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};
use trace::{BlockSizes, PrefixInterner};

const CASES: &str = include_str!("../fixtures/replay_cases.json");

/// A case being played.
struct Play {
    router: KvRouter,
    interner: PrefixInterner,
    block_size: u32,
    budget: Option<u64>,
    ids: BTreeMap<String, RequestId>,
}

fn profile(block_size: u32, budget: Option<u64>) -> WorkerProfile {
    WorkerProfile {
        block_tokens: block_size,
        blocks: 10_000,
        max_batched_tokens: budget.map(|budget| budget as u32),
        max_sequences: None,
        role: Role::Aggregated,
        gpus: 1,
        draft_tokens: 0,
    }
}

impl Play {
    fn prompt(&mut self, tokens: &Value) -> Prompt {
        let mut ids = Vec::new();
        for pair in tokens.as_array().unwrap() {
            let (token, repeat) = (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap());
            ids.extend(std::iter::repeat_n(token, repeat as usize));
        }
        let length = ids.len() as u32;
        self.interner.prompt(&ids, length)
    }

    fn id(&mut self, name: &Value) -> RequestId {
        let next = RequestId(self.ids.len() as u32);
        *self
            .ids
            .entry(name.as_str().unwrap().to_owned())
            .or_insert(next)
    }

    fn play(&mut self, op: &Value) -> Vec<Dispatch> {
        let mut out = Vec::new();
        let ms = op["at_ms"].as_f64().unwrap_or(0.0);
        let now = SimTime::ZERO + SimDuration::try_from_ms(ms).unwrap();
        let worker = || WorkerId(op["worker"].as_u64().or(op["id"].as_u64()).unwrap() as u32);
        let event = match op["op"].as_str().unwrap() {
            "engine_store" => {
                let prompt = self.prompt(&op["tokens"]);
                for &run in prompt.runs() {
                    let event = RouterEvent::Kv(worker(), KvChange::Stored { run });
                    self.router.on(now, event, &mut out).unwrap();
                }
                return out;
            }
            "arrive" => {
                let request = RoutingRequest {
                    id: self.id(&op["id"]),
                    session: SessionId(0),
                    prompt: self.prompt(&op["tokens"]),
                    priority: 0,
                };
                self.router.arrive(now, &request, &mut out).unwrap();
                return out;
            }
            "prefill_done" => RouterEvent::PrefillDone(self.id(&op["id"])),
            "complete" => RouterEvent::Completed(self.id(&op["id"])),
            "add_worker" => {
                RouterEvent::WorkerReady(worker(), profile(self.block_size, self.budget))
            }
            // Time passing alone makes a replay's router do nothing.
            "tick" => return out,
            "remove_worker" => RouterEvent::WorkerDraining(worker()),
            other => panic!("unknown op {other}"),
        };
        self.router.on(now, event, &mut out).unwrap();
        out
    }
}

fn start(case: &Value) -> Play {
    let block_size = case["block_size"].as_u64().unwrap() as u32;
    let size = |tokens| NonZeroU32::new(tokens).unwrap();
    let config = RouterConfig::from_value(&case["config"], Quirks::ALL).unwrap();
    let estimator = case["prefill_estimator_fixed_ms"]
        .as_f64()
        .map(|ms| -> PrefillEstimator { Box::new(move |_, _| SimDuration::try_from_ms(ms).ok()) });
    let mut router = KvRouter::new(config, Side::Aggregated, 0, Quirks::ALL, estimator);
    for worker in case["workers"].as_array().unwrap() {
        let id = WorkerId(worker["id"].as_u64().unwrap() as u32);
        let profile = profile(block_size, worker["max_num_batched_tokens"].as_u64());
        let event = RouterEvent::WorkerReady(id, profile);
        router.on(SimTime::ZERO, event, &mut Vec::new()).unwrap();
    }
    let sizes = BlockSizes {
        trace: size(1),
        engine: size(block_size),
    };
    Play {
        router,
        interner: PrefixInterner::new(sizes, Quirks::ALL),
        block_size,
        budget: case["workers"][0]["max_num_batched_tokens"].as_u64(),
        ids: BTreeMap::new(),
    }
}

/// What differs between what an operation did and what is expected of it.
fn difference(play: &Play, got: &[Dispatch], queued: usize, want: &Value) -> Option<String> {
    let Some(admitted) = want["admitted"].as_array() else {
        return Some(format!("no admissions to expect in {want}"));
    };
    let same = |dispatch: &Dispatch, want: &Value| {
        play.ids[want["id"].as_str().unwrap()] == dispatch.request
            && want["worker"] == dispatch.worker.0
            && dispatch.overlap.is_some_and(|overlap| {
                want["overlap_blocks"] == overlap.blocks && want["isl_blocks"] == overlap.isl_blocks
            })
    };
    let equal = got.len() == admitted.len()
        && want["pending"] == queued
        && got.iter().zip(admitted).all(|(got, want)| same(got, want));
    (!equal).then(|| format!("{got:?}, {queued} queued; expected {want}"))
}

#[test]
fn placements_overlaps_and_queue_equal_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut play = start(case);
        let ops = case["ops"].as_array().unwrap();
        let done: Vec<(Vec<Dispatch>, usize)> = ops
            .iter()
            .map(|op| {
                let dispatches = play.play(op);
                (dispatches, play.router.queued())
            })
            .collect();
        // Where ties are broken at random, any of the outcomes seen will do.
        let outcomes = match case["expected_any_of"].as_array() {
            Some(outcomes) => outcomes.clone(),
            None => vec![case["expected"].clone()],
        };
        let differences: Vec<Option<String>> = outcomes
            .iter()
            .map(|expected| {
                let expected = expected.as_array().unwrap();
                assert_eq!(done.len(), expected.len(), "{}", case["name"]);
                done.iter()
                    .zip(expected)
                    .find_map(|((got, queued), want)| difference(&play, got, *queued, want))
            })
            .collect();
        if differences.iter().all(Option::is_some) {
            wrong.push(format!("{}: {differences:?}", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
