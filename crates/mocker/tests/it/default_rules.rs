//! The rules of the default mode on cases small enough to be worked out by
//! hand, with a step-time model that makes the working easy to follow.

use std::sync::Arc;

use mocker::{Factory, Implementation, ParsedArgs, PoolEngines};
use serde::Deserialize;
use serde_json::{Value, json};
use sim_api::{
    Coverage, DecodeAxis, DecodeStep, EngineFactory, KvChange, KvRun, PrefillStep, Quirk, Quirks,
    RequestId, Role, SegmentId, StepTime, StepTimeError, StepTimeModel,
};
use sim_core::{SimDuration, SimTime};

use crate::driver::{Arriving, Workers, scheduler};
use crate::prompts::Interner;

const BLOCK: u32 = 4;

/// Prefill: 1 ms a new token. Decode: 1000 ms a request, 1 ms a token of
/// active KV, 1 µs a token of mean context.
struct Plain;

impl StepTimeModel for Plain {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let new = f64::from(step.batch) * f64::from(step.isl - step.prefix);
        Ok(StepTime {
            ms: new,
            coverage: Coverage::Formula,
        })
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let requests = f64::from(step.batch) * 1000.0;
        let ms = requests + step.active_kv_tokens as f64 + f64::from(step.context) / 1000.0;
        Ok(StepTime {
            ms,
            coverage: Coverage::Formula,
        })
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Both
    }
}

#[derive(Deserialize)]
struct Case {
    why: String,
    #[serde(default)]
    args: serde_json::Map<String, Value>,
    #[serde(default)]
    role: Option<String>,
    /// Arrival in ms, input length, output length, an id a block.
    rows: Vec<(f64, u32, u32, Vec<u64>)>,
    /// Token times in ms of each request.
    tokens: Vec<Vec<f64>>,
}

fn role(name: Option<&str>) -> Role {
    match name {
        Some("prefill") => Role::Prefill,
        Some("decode") => Role::Decode,
        _ => Role::Aggregated,
    }
}

fn arrivals(rows: &[(f64, u32, u32, Vec<u64>)]) -> Vec<(RequestId, Arriving)> {
    let mut interner = Interner::new(BLOCK);
    let arriving = |(ms, input, output, ids): &(f64, u32, u32, Vec<u64>)| {
        let tokens: Vec<u64> = ids
            .iter()
            .flat_map(|&id| std::iter::repeat_n(id, BLOCK as usize))
            .take(*input as usize)
            .collect();
        Arriving {
            at: SimTime::ZERO + SimDuration::try_from_ms(*ms).unwrap(),
            prompt: interner.prompt(&tokens),
            output_tokens: *output,
        }
    };
    (0..)
        .map(RequestId)
        .zip(rows.iter().map(arriving))
        .collect()
}

fn run(
    rows: &[(f64, u32, u32, Vec<u64>)],
    mut args: serde_json::Map<String, Value>,
    role: Role,
    quirks: Quirks,
) -> Workers {
    args.insert("block_size".to_owned(), json!(BLOCK));
    args.entry("num_gpu_blocks").or_insert(json!(64));
    let config = ParsedArgs::from_value(&Value::Object(args), Quirks::NONE)
        .unwrap()
        .config;
    let engines = PoolEngines {
        scheduler: scheduler(&config, role, quirks),
        gpus: 1,
        model: Arc::new(|| Box::new(Plain)),
    };
    let factory = Factory::aggregated(engines).with(Implementation::Literal);
    let mut workers = Workers::of(&factory, 1);
    assert_eq!(workers.run(&arrivals(rows)), Ok(Vec::new()));
    workers
}

fn at(ms: f64) -> SimTime {
    SimTime::ZERO + SimDuration::try_from_ms(ms).unwrap()
}

#[test]
fn token_times_are_as_worked_out_by_hand() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/default_rules.json")).unwrap();
    for case in cases {
        let role = role(case.role.as_deref());
        let workers = run(&case.rows, case.args, role, Quirks::NONE);
        let mut gaps = Vec::new();
        for (id, tokens) in (0..).zip(&case.tokens) {
            let times: Vec<SimTime> = tokens.iter().map(|&ms| at(ms)).collect();
            let story = workers.story(id);
            let why = &case.why;
            assert_eq!(story.first, times.first().copied(), "{why}: first of {id}");
            assert_eq!(story.second, times.get(1).copied(), "{why}: second of {id}");
            assert_eq!(
                story.completed,
                times[times.len() - 1..],
                "{why}: last of {id}"
            );
            gaps.extend(times.windows(2).map(|pair| (pair[0], pair[1] - pair[0])));
        }
        gaps.sort_unstable();
        assert_eq!(workers.gaps(), gaps, "{}", case.why);
    }
}

#[test]
fn under_the_quirk_the_first_token_pays_for_all_that_are_ready() {
    let rows = [(0.0, 8, 1, vec![1, 2])];
    let workers = run(
        &rows,
        serde_json::Map::new(),
        Role::Aggregated,
        Quirks::NONE.with(Quirk::FirstTokenPaysDecode),
    );
    // 8 ms of prefill, then 1000 for the request, 8 for its blocks, 8 µs for its context.
    assert_eq!(workers.story(0).first, Some(at(1016.008)));
}

#[test]
fn kv_changes_are_seen_when_the_pass_ends_or_under_the_quirk_when_it_starts() {
    let rows = [(0.0, 8, 1, vec![1, 2]), (50.0, 8, 1, vec![1, 3])];
    let stored = |segment, blocks| KvChange::Stored {
        run: KvRun {
            segment: SegmentId(segment),
            blocks,
        },
    };
    for (quirks, first, second) in [
        (Quirks::NONE, 8.0, 54.0),
        (Quirks::NONE.with(Quirk::KvEventsAtPassStart), 0.0, 50.0),
    ] {
        let workers = run(&rows, serde_json::Map::new(), Role::Aggregated, quirks);
        let expected = [(at(first), stored(0, 2)), (at(second), stored(1, 1))];
        assert_eq!(workers.told[0].kv, expected);
    }
}

#[test]
fn evicted_blocks_are_reported_by_what_is_left() {
    let mut args = serde_json::Map::new();
    args.insert("num_gpu_blocks".to_owned(), json!(6));
    let rows = [(0.0, 12, 1, vec![1, 2, 3]), (50.0, 12, 1, vec![4, 5, 6])];
    let workers = run(&rows, args, Role::Aggregated, Quirks::NONE);
    let run_of = |segment, blocks| KvRun {
        segment: SegmentId(segment),
        blocks,
    };
    // The second request needs 3 blocks and a fourth for its token; 6 minus
    // the 3 inactive ones of the first leave 3 free, so one is evicted.
    let changes: Vec<KvChange> = workers.told[0]
        .kv
        .iter()
        .map(|(_, change)| *change)
        .collect();
    assert_eq!(
        changes,
        [
            KvChange::Stored { run: run_of(0, 3) },
            KvChange::Stored { run: run_of(1, 3) },
            KvChange::Removed {
                run: run_of(0, 3),
                keep: 2
            },
        ]
    );
}

#[test]
fn pass_records_say_what_a_pass_worked_on() {
    let mut args = serde_json::Map::new();
    args.insert("max_num_batched_tokens".to_owned(), json!(8));
    let rows = [
        (0.0, 8, 3, vec![1, 2]),
        (100.0, 12, 1, vec![3, 4, 5]),
        (100.0, 4, 1, vec![6]),
    ];
    let workers = run(&rows, args, Role::Aggregated, Quirks::NONE);
    let passes = &workers.told[0].passes;
    let (start, length, third) = passes[2];
    assert_eq!((start, length), (at(1020.009), at(2047.019) - at(1020.009)));
    // One decoder with 10 tokens, 7 tokens of the second prompt, the third waits.
    assert_eq!(
        (third.decode_contexts.count, third.decode_contexts.sum),
        (1, 10)
    );
    assert_eq!(
        (third.prefill_lengths.count, third.prefill_lengths.sum),
        (1, 12)
    );
    assert_eq!((third.prefill_tokens, third.prefill_kv_tokens), (7, 0));
    assert_eq!(
        (third.queued_prefill.count, third.queued_prefill.sum),
        (1, 4)
    );
    assert_eq!((third.decode_forwards, third.decode_tokens), (1, 1));
    let (_, _, fourth) = passes[3];
    assert_eq!(
        (fourth.prefill_tokens, fourth.prefill_kv_tokens),
        (9 - 1, 7)
    );
}

#[test]
fn a_factory_describes_its_workers() {
    let config = ParsedArgs::from_json("{\"aic_nextn\": 2}", Quirks::NONE)
        .unwrap()
        .config;
    let engines = PoolEngines {
        scheduler: scheduler(&config, Role::Decode, Quirks::NONE),
        gpus: 4,
        model: Arc::new(|| Box::new(Plain)),
    };
    let profile = Factory::aggregated(engines).profile(sim_api::Pool::Decode);
    assert_eq!((profile.block_tokens, profile.blocks), (64, 16_384));
    assert_eq!((profile.gpus, profile.draft_tokens), (4, 2));
    assert_eq!(profile.role, Role::Decode);
}
