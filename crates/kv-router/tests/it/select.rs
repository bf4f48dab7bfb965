//! The reference's single decisions and queue keys.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use kv_router::{
    CacheTiers, Candidate, Overrides, QueuePolicy, RouterConfig, SelectError, SelectionRequest,
    Selector, WorkerKey, WorkerView, queue_key,
};
use proptest::prelude::*;
use serde_json::Value;
use sim_api::Quirks;

const CASES: &str = include_str!("../fixtures/selection.json");
const DRAWS: u32 = 20_000;

fn cases(kind: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    cases
        .into_iter()
        .filter(|case| case["kind"] == kind)
        .collect()
}

fn key(name: &str) -> WorkerKey {
    let (id, rank) = name.split_once(':').unwrap_or((name, "0"));
    WorkerKey::new(id.parse().unwrap(), rank.parse().unwrap())
}

fn block(case: &Value) -> NonZeroU32 {
    NonZeroU32::new(case["block_size"].as_u64().unwrap() as u32).unwrap()
}

fn request(given: &Value) -> SelectionRequest {
    let mut views: BTreeMap<WorkerKey, WorkerView> = BTreeMap::new();
    for field in [
        "overlap",
        "cached_tokens",
        "prefill_tokens",
        "decode_blocks",
        "tier_device",
        "tier_host",
        "tier_disk",
    ] {
        for (name, value) in given[field].as_object().into_iter().flatten() {
            let view = views.entry(key(name)).or_default();
            match field {
                "overlap" => view.overlap_blocks = value.as_f64().unwrap(),
                "cached_tokens" => view.cached_tokens = value.as_u64(),
                "prefill_tokens" => view.prefill_tokens = value.as_u64(),
                "decode_blocks" => view.decode_blocks = value.as_u64().unwrap(),
                tier => {
                    let tiers = view.tiers.get_or_insert_with(CacheTiers::default);
                    let blocks = value.as_u64().unwrap() as u32;
                    match tier {
                        "tier_device" => tiers.device = blocks,
                        "tier_host" => tiers.host = blocks,
                        _ => tiers.disk = blocks,
                    }
                }
            }
        }
    }
    let over = &given["override"];
    let ranges = given["shared_ranges"].as_array().into_iter().flatten();
    let bound = |range: &Value, at: usize| range[at].as_u64().unwrap() as u32;
    SelectionRequest {
        prompt_tokens: given["isl"].as_u64().unwrap() as u32,
        views,
        shared_blocks: ranges
            .map(|range| bound(range, 0)..bound(range, 1))
            .collect(),
        pinned: given["pinned"].as_str().map(key),
        allowed: given["allowed"]
            .as_array()
            .map(|ids| ids.iter().map(|id| id.as_u64().unwrap()).collect()),
        overrides: Overrides {
            overlap_score_credit: over["overlap_score_credit"].as_f64(),
            prefill_load_scale: over["prefill_load_scale"].as_f64(),
            overlap_score_weight: over["overlap_score_weight"].as_f64(),
            temperature: over["router_temperature"].as_f64(),
            track_prefill_tokens: over["track_prefill_tokens"]
                .as_bool()
                .or(given["track_prefill_tokens"].as_bool()),
            shared_cache_multiplier: over["shared_cache_multiplier"].as_f64(),
        },
    }
}

fn workers(case: &Value) -> Vec<Candidate> {
    let workers = case["workers"].as_array().unwrap().iter();
    workers
        .map(|worker| Candidate {
            id: worker["id"].as_u64().unwrap(),
            first_rank: worker["dp_start"].as_u64().unwrap_or(0) as u32,
            ranks: worker["dp_size"].as_u64().unwrap_or(1) as u16,
        })
        .collect()
}

fn selector(case: &Value) -> Selector {
    let config = RouterConfig::from_value(&case["config"], Quirks::ALL).unwrap();
    Selector::new(config, block(case), 1)
}

#[test]
fn decisions_equal_the_reference() {
    let cases = cases("select");
    assert_eq!(cases.len(), 30);
    for case in &cases {
        let (name, expected) = (&case["name"], &case["expected"]);
        let (workers, request) = (workers(case), request(&case["request"]));
        let mut selector = selector(case);
        if let Some(message) = expected["message"].as_str() {
            let error = selector.select(&workers, &request).unwrap_err();
            assert_eq!(error.to_string(), message, "{name}");
            continue;
        }
        let costs = selector.costs(&workers, &request).unwrap();
        let logits = expected["logits"].as_object().unwrap();
        assert_eq!(costs.len(), logits.len(), "{name}");
        for (worker, cost) in &costs {
            let logit = logits[&format!("{}:{}", worker.id, worker.rank)]
                .as_f64()
                .unwrap();
            assert!((cost - logit).abs() < 1e-9, "{name}: {cost} for {logit}");
        }
        let mut counts: BTreeMap<WorkerKey, u32> = BTreeMap::new();
        for _ in 0..DRAWS {
            let selected = selector.select(&workers, &request).unwrap();
            *counts.entry(selected.worker).or_default() += 1;
            let result = &expected["result"];
            if !result.is_null() {
                assert_eq!(
                    result["required_blocks"], selected.required_blocks,
                    "{name}"
                );
                assert_eq!(
                    result["effective_overlap_blocks"], selected.effective_overlap_blocks,
                    "{name}"
                );
                assert_eq!(result["cached_tokens"], selected.cached_tokens, "{name}");
            }
        }
        let selected_set = expected["selected_set"].as_array().unwrap();
        assert_eq!(counts.len(), selected_set.len(), "{name}");
        for (worker, count) in &counts {
            let worker = format!("{}:{}", worker.id, worker.rank);
            let even = 1.0 / selected_set.len() as f64;
            let share = expected["probabilities"][&worker].as_f64().unwrap_or(even);
            let seen = f64::from(*count) / f64::from(DRAWS);
            assert!(
                selected_set.iter().any(|name| *name == worker),
                "{name}: {worker}"
            );
            assert!((seen - share).abs() < 0.015, "{name}: {seen} for {share}");
        }
    }
}

#[test]
fn queue_keys_equal_the_reference() {
    let cases = cases("policy_key");
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let policy = match case["policy"].as_str().unwrap() {
            "fcfs" => QueuePolicy::Fcfs,
            "lcfs" => QueuePolicy::Lcfs,
            _ => QueuePolicy::Wspt,
        };
        let (given, keys) = (
            case["requests"].as_array().unwrap(),
            case["expected"].as_array().unwrap(),
        );
        assert_eq!(given.len(), keys.len());
        for (given, expected) in given.iter().zip(keys) {
            let request = request(given);
            let got = queue_key(
                policy,
                given["arrival_s"].as_f64().unwrap(),
                given["priority_jump"].as_f64().unwrap_or(0.0),
                request.prompt_tokens,
                request.best_cached_tokens(block(case)) as f64,
            );
            let expected = expected.as_f64().unwrap();
            assert!(
                (got - expected).abs() < 1e-12,
                "{given}: {got} for {expected}"
            );
        }
    }
}

#[test]
fn numbers_out_of_range_are_named() {
    let workers = [Candidate {
        id: 0,
        first_rank: u32::MAX,
        ranks: 9,
    }];
    let mut selector = Selector::new(RouterConfig::default(), NonZeroU32::MIN, 0);
    let mut request = SelectionRequest::default();
    assert_eq!(
        selector.select(&workers, &request),
        Err(SelectError::EmptyPrompt)
    );
    request.prompt_tokens = 8;
    request.overrides.temperature = Some(f64::NAN);
    let error = selector.select(&workers, &request).unwrap_err().to_string();
    assert!(error.contains("router_temperature"), "{error}");
    request.overrides.temperature = None;
    request.shared_blocks = vec![2..6, 0..4];
    request.overrides.shared_cache_multiplier = Some(0.5);
    assert_eq!(selector.select(&workers, &request).unwrap().cost, 5.0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_chosen_worker_is_a_cheapest_one(
        loads in proptest::collection::vec((0_u64..500, 0_u64..40, 0_u32..8), 1..9),
        credit in 0_u32..5,
        seed in any::<u64>(),
    ) {
        let credit = f64::from(credit) / 4.0;
        let config = RouterConfig { overlap_score_credit: credit, ..RouterConfig::default() };
        let mut request = SelectionRequest { prompt_tokens: 128, ..Default::default() };
        let mut workers = Vec::new();
        for (id, &(backlog, decode_blocks, overlap)) in (0..).zip(&loads) {
            workers.push(Candidate { id, first_rank: 0, ranks: 1 });
            request.views.insert(WorkerKey::new(id, 0), WorkerView {
                prefill_tokens: Some(backlog + 128 - u64::from(overlap) * 16),
                decode_blocks,
                overlap_blocks: f64::from(overlap),
                ..Default::default()
            });
        }
        // In tokens, times 4 for the credit: whole numbers throughout.
        let cost = |&(backlog, blocks, overlap): &(u64, u64, u32)| {
            let spared = (credit * 4.0) as u64 * u64::from(overlap) * 16;
            (4 * (backlog + 128)).saturating_sub(spared) + 64 * blocks
        };
        let chosen = Selector::new(config, NonZeroU32::new(16).unwrap(), seed)
            .select(&workers, &request)
            .unwrap();
        let least = loads.iter().map(cost).min().unwrap();
        prop_assert_eq!(cost(&loads[chosen.worker.id as usize]), least);
        prop_assert_eq!(chosen.cost, least as f64 / 64.0);
    }
}
