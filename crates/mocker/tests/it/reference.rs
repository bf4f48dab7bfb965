//! Small runs of the reference 1.2.1 (speculation: 1.3.1), token by token.

use mocker::{EngineConfig, Implementation, ParsedArgs};
use serde::Deserialize;
use serde_json::Value;
use sim_api::{Quirk, Quirks, RequestId, Role};
use sim_core::{SimDuration, SimTime};

use crate::driver::{Arriving, Story, Workers, scheduler};
use crate::prompts::Interner;

#[derive(Deserialize)]
struct Case {
    name: String,
    trace_block_size: u64,
    workers: u32,
    prefill_workers: u32,
    decode_workers: u32,
    #[serde(default)]
    engine_args: Option<Value>,
    #[serde(default)]
    prefill_engine_args: Option<Value>,
    #[serde(default)]
    decode_engine_args: Option<Value>,
    /// Timestamp in ms, input length, output length, hash ids.
    rows: Vec<(f64, u32, u32, Vec<u64>)>,
    expected: Expected,
    /// First admission in ms, reused tokens, token times in ms.
    #[serde(default)]
    requests: Option<Vec<(f64, u32, Vec<f64>)>>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    duration_ms: f64,
    completed_requests: usize,
    mean_ttft_ms: f64,
    mean_ttst_ms: f64,
    mean_itl_ms: f64,
    max_itl_ms: f64,
    mean_e2e_latency_ms: f64,
    prefix_cache_reused_ratio: f64,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/reference.json")).unwrap()
}

/// The quirks a case was run under: speculation is from a later version.
fn quirks(case: &Case) -> Quirks {
    if case.name.starts_with('m') {
        Quirks::ALL.without(Quirk::RefuseLaterFeatures)
    } else {
        Quirks::ALL
    }
}

fn config(args: Option<&Value>, quirks: Quirks) -> EngineConfig {
    let empty = Value::Object(serde_json::Map::new());
    ParsedArgs::from_value(args.unwrap_or(&empty), quirks)
        .unwrap()
        .config
}

/// The rows in order of arrival, the first at 0; row numbers are request ids.
fn arrivals(case: &Case, block_tokens: u32) -> Vec<(RequestId, Arriving)> {
    let mut interner = Interner::new(block_tokens);
    let first = case
        .rows
        .iter()
        .map(|row| row.0)
        .fold(f64::INFINITY, f64::min);
    let mut arrivals: Vec<_> = (0..)
        .map(RequestId)
        .zip(&case.rows)
        .map(|(id, (ms, input, output, hashes))| {
            let expanded = hashes
                .iter()
                .flat_map(|&hash| std::iter::repeat_n(hash, case.trace_block_size as usize));
            let tokens: Vec<u64> = expanded.take(*input as usize).collect();
            let arriving = Arriving {
                at: SimTime::ZERO + SimDuration::try_from_ms(ms - first).unwrap(),
                prompt: interner.prompt(&tokens),
                output_tokens: *output,
            };
            (id, arriving)
        })
        .collect();
    arrivals.sort_by_key(|(_, arriving)| arriving.at);
    arrivals
}

struct Outcome {
    arrivals: Vec<(RequestId, Arriving)>,
    prefill: Option<Workers>,
    decode: Workers,
}

fn run(case: &Case, implementation: Implementation) -> Outcome {
    let quirks = quirks(case);
    let (Some(prefill_args), Some(decode_args)) =
        (&case.prefill_engine_args, &case.decode_engine_args)
    else {
        let config = config(case.engine_args.as_ref(), quirks);
        let scheduler = scheduler(&config, Role::Aggregated, quirks);
        let mut decode = Workers::new(scheduler, implementation, case.workers);
        let arrivals = arrivals(case, config.block_tokens);
        assert_eq!(decode.run(&arrivals), Ok(Vec::new()));
        return Outcome {
            arrivals,
            prefill: None,
            decode,
        };
    };
    let prefill_config = config(Some(prefill_args), quirks);
    let decode_config = config(Some(decode_args), quirks);
    let engines = scheduler(&prefill_config, Role::Prefill, quirks);
    let mut prefill = Workers::new(engines, implementation, case.prefill_workers);
    let engines = scheduler(&decode_config, Role::Decode, quirks);
    let mut decode = Workers::new(engines, implementation, case.decode_workers);

    let arrivals = arrivals(case, prefill_config.block_tokens);
    let mut single: Vec<_> = arrivals.clone();
    for (_, arriving) in &mut single {
        arriving.output_tokens = 1;
    }
    assert_eq!(prefill.run(&single), Ok(Vec::new()));
    let transfer = prefill_config.transfer;
    let mut handed: Vec<(RequestId, Arriving)> = Vec::new();
    for (at, id) in prefill.ended() {
        let (_, request) = arrivals.iter().find(|(other, _)| *other == id).unwrap();
        let bytes = transfer.bytes_per_token.unwrap_or(0) as f64;
        let bandwidth = transfer.gb_per_s.unwrap_or(0.0) * 1e9;
        let delay = if bandwidth > 0.0 {
            f64::from(request.prompt.tokens()) * bytes / bandwidth
        } else {
            0.0
        };
        let at = at + SimDuration::try_from_secs(delay).unwrap();
        handed.push((
            id,
            Arriving {
                at,
                ..request.clone()
            },
        ));
    }
    handed.sort_by_key(|(_, arriving)| arriving.at);
    assert_eq!(decode.run(&handed), Ok(Vec::new()));
    Outcome {
        arrivals,
        prefill: Some(prefill),
        decode,
    }
}

fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= (1e-9 * theirs.abs()).max(2e-6)
}

fn assert_close(case: &str, what: &str, ours: f64, theirs: f64) {
    assert!(
        close(ours, theirs),
        "{case}: {what} is {ours}, not {theirs}"
    );
}

fn reused(story: &Story) -> u32 {
    let tokens = story.admissions.iter().map(|&(_, cached, _)| cached);
    tokens.max().unwrap_or(0)
}

impl Outcome {
    /// First admission and reuse, over both pools.
    fn admission(&self, id: u32) -> (SimTime, u32) {
        let decode = self.decode.story(id);
        match &self.prefill {
            None => (decode.admissions[0].0, reused(decode)),
            Some(prefill) => {
                let prefill = prefill.story(id);
                (prefill.admissions[0].0, reused(prefill).max(reused(decode)))
            }
        }
    }

    fn check_requests(&self, name: &str, requests: &[(f64, u32, Vec<f64>)]) {
        let mut gaps: Vec<f64> = Vec::new();
        for (id, (admitted, reused, tokens)) in (0..).zip(requests) {
            let story = self.decode.story(id);
            let what = |event: &str| format!("{event} of request {id}");
            let (at, cached) = self.admission(id);
            assert_close(name, &what("admission"), at.as_ms(), *admitted);
            assert_eq!(cached, *reused, "{name}: {}", what("reuse"));
            let first = story.first.unwrap().as_ms();
            assert_close(name, &what("first token"), first, tokens[0]);
            assert_eq!(story.second.is_some(), tokens.len() > 1);
            if let Some(second) = story.second {
                assert_close(name, &what("second token"), second.as_ms(), tokens[1]);
            }
            let last = story.completed[0].as_ms();
            assert_close(name, &what("last token"), last, *tokens.last().unwrap());
            gaps.extend(tokens.windows(2).map(|pair| pair[1] - pair[0]));
        }
        let mut ours: Vec<f64> = self.decode.gaps().iter().map(|gap| gap.1.as_ms()).collect();
        assert_eq!(ours.len(), gaps.len(), "{name}: number of gaps");
        ours.sort_by(f64::total_cmp);
        gaps.sort_by(f64::total_cmp);
        for (ours, theirs) in ours.iter().zip(&gaps) {
            assert_close(name, "gap", *ours, *theirs);
        }
    }

    fn check_means(&self, name: &str, expected: &Expected) {
        let mean = |values: &[f64]| match values.len() {
            0 => 0.0,
            count => values.iter().sum::<f64>() / count as f64,
        };
        let (mut ttft, mut ttst, mut e2e) = (Vec::new(), Vec::new(), Vec::new());
        let (mut tokens, mut cached, mut end) = (0, 0, SimTime::ZERO);
        for (id, arriving) in &self.arrivals {
            let story = self.decode.story(id.0);
            let first = story.first.unwrap();
            ttft.push((first - arriving.at).as_ms());
            ttst.extend(story.second.map(|second| (second - first).as_ms()));
            e2e.push((story.completed[0] - arriving.at).as_ms());
            end = end.max(story.completed[0]);
            tokens += arriving.prompt.tokens();
            cached += self.admission(id.0).1;
        }
        let itl: Vec<f64> = self.decode.gaps().iter().map(|gap| gap.1.as_ms()).collect();
        let ratio = f64::from(cached) / f64::from(tokens);
        assert_eq!(e2e.len(), expected.completed_requests, "{name}");
        assert_close(name, "duration", end.as_ms(), expected.duration_ms);
        assert_close(name, "ttft", mean(&ttft), expected.mean_ttft_ms);
        assert_close(name, "ttst", mean(&ttst), expected.mean_ttst_ms);
        assert_close(name, "e2e", mean(&e2e), expected.mean_e2e_latency_ms);
        assert_close(name, "itl", mean(&itl), expected.mean_itl_ms);
        let longest = itl.iter().copied().fold(0.0, f64::max);
        assert_close(name, "longest gap", longest, expected.max_itl_ms);
        assert_close(name, "reuse", ratio, expected.prefix_cache_reused_ratio);
    }
}

fn check(implementation: Implementation, group: impl Fn(&Case) -> bool) -> usize {
    let cases: Vec<Case> = cases().into_iter().filter(group).collect();
    for case in &cases {
        let outcome = run(case, implementation);
        if let Some(requests) = &case.requests {
            outcome.check_requests(&case.name, requests);
        }
        outcome.check_means(&case.name, &case.expected);
    }
    cases.len()
}

#[test]
fn vllm_equals_the_reference_token_by_token() {
    for implementation in [Implementation::Literal, Implementation::Fast] {
        let checked = check(implementation, |case| {
            case.name.starts_with('v') || case.name.starts_with('d')
        });
        assert_eq!(checked, 43);
    }
}

#[test]
fn speculation_equals_the_reference() {
    let checked = check(Implementation::Literal, |case| case.name.starts_with('m'));
    assert_eq!(checked, 9);
}

#[test]
fn sglang_equals_the_reference_token_by_token() {
    let checked = check(Implementation::Literal, |case| case.name.starts_with('g'));
    assert_eq!(checked, 11);
}

#[test]
fn a_request_that_gives_way_again_is_counted_once_an_entry_under_the_quirk() {
    // Admissions that make others give way leave entries behind in the queue.
    let args = serde_json::json!({"block_size": 4, "num_gpu_blocks": 7});
    let longest_queue = |quirks: Quirks| {
        let config = config(Some(&args), quirks);
        let engines = scheduler(&config, Role::Aggregated, quirks);
        let mut workers = Workers::new(engines, Implementation::Literal, 1);
        let mut interner = Interner::new(config.block_tokens);
        let arrivals: Vec<_> = (0..3)
            .map(|id| {
                let arriving = Arriving {
                    at: SimTime::ZERO,
                    prompt: interner.prompt(&[u64::from(id); 12]),
                    output_tokens: 12,
                };
                (RequestId(id), arriving)
            })
            .collect();
        assert_eq!(workers.run(&arrivals), Ok(Vec::new()));
        let counts = workers.told[0]
            .passes
            .iter()
            .map(|pass| pass.2.queued_decode.count);
        counts.max().unwrap_or(0)
    };
    // Three requests, one of which runs.
    assert_eq!(
        longest_queue(Quirks::ALL.without(Quirk::StaleQueueEntries)),
        2
    );
    assert!(longest_queue(Quirks::ALL) > 2);
}
