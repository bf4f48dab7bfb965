//! SGLang where the reference hangs, and limits of its own.

use mocker::{Factory, Implementation, ParsedArgs};
use serde_json::{Value, json};
use sim_api::{EngineFactory, Pool, Quirk, Quirks, Rejection, RequestId, Role};
use sim_core::SimTime;

use crate::driver::{Arriving, Workers, pool_engines, scheduler};
use crate::prompts::Interner;

/// Arrival in ms, input length, output length, first token of a prompt without
/// anything in common with others.
type Row = (u64, u32, u32, u64);

fn engines(mut args: Value, quirks: Quirks) -> (Factory, u32) {
    args["engine_type"] = json!("sglang");
    let config = ParsedArgs::from_value(&args, quirks).unwrap().config;
    let scheduler = scheduler(&config, Role::Aggregated, quirks);
    let factory = Factory::aggregated(pool_engines(scheduler)).with(Implementation::Literal);
    (factory, config.block_tokens)
}

fn run(args: Value, quirks: Quirks, rows: &[Row]) -> Workers {
    let (factory, block_tokens) = engines(args, quirks);
    let mut interner = Interner::new(block_tokens);
    let arrivals: Vec<_> = (0..)
        .map(RequestId)
        .zip(rows)
        .map(|(id, &(ms, input, output_tokens, first))| {
            let tokens: Vec<u64> = (first..first + u64::from(input)).collect();
            let arriving = Arriving {
                at: SimTime::from_ns(ms * 1_000_000),
                prompt: interner.prompt(&tokens),
                output_tokens,
            };
            (id, arriving)
        })
        .collect();
    let mut workers = Workers::of(&factory, 1);
    assert_eq!(workers.run(&arrivals), Ok(Vec::new()));
    workers
}

#[test]
fn a_chain_of_single_page_nodes_does_not_lock_others_out() {
    // Two runs on which the reference never ends: what a finished request
    // leaves in the tree counts as one evictable page.
    for (pages, input, output) in [(44, 12, 12), (50, 10, 20)] {
        let args = json!({"block_size": 1, "num_gpu_blocks": pages});
        let rows = [(0, input, output, 0), (15, input, output, 1000)];
        let workers = run(args, Quirks::ALL, &rows);
        for id in 0..2 {
            assert_eq!(workers.story(id).completed.len(), 1);
        }
    }
}

#[test]
fn prompt_and_output_may_fill_the_pool() {
    let args = json!({"block_size": 4, "num_gpu_blocks": 5});
    let workers = run(args.clone(), Quirks::NONE, &[(0, 12, 8, 0)]);
    assert_eq!(workers.story(0).completed.len(), 1);
    let (factory, _) = engines(args, Quirks::NONE);
    assert_eq!(
        factory.check(Pool::Decode, 12, 9),
        Err(Rejection::PoolTooSmall {
            needed: 6,
            available: 5
        })
    );
}

#[test]
fn a_prompt_over_the_prefill_limit_comes_in_chunks_that_fit() {
    let args = json!({
        "block_size": 4, "num_gpu_blocks": 64,
        "sglang": {"max_prefill_tokens": 10},
    });
    let workers = run(args, Quirks::NONE, &[(0, 20, 1, 0)]);
    // Chunks of 8, 8 and 4.
    let passes = &workers.told[0].passes;
    let tokens: Vec<u64> = passes.iter().map(|pass| pass.2.prefill_tokens).collect();
    assert_eq!(tokens, [8, 8, 4]);
}

#[test]
fn a_page_larger_than_a_chunk_is_taken_whole() {
    let args = json!({
        "block_size": 16, "num_gpu_blocks": 8,
        "sglang": {"max_prefill_tokens": 8},
    });
    let workers = run(args, Quirks::NONE, &[(0, 40, 2, 0)]);
    let passes = &workers.told[0].passes;
    let tokens: Vec<u64> = passes.iter().map(|pass| pass.2.prefill_tokens).collect();
    assert_eq!(tokens, [16, 16, 8, 0]);
}

#[test]
fn later_chunks_count_as_admissions_under_the_quirk_only() {
    let args = json!({
        "block_size": 4, "num_gpu_blocks": 64,
        "sglang": {"chunked_prefill_size": 8},
    });
    let admissions = |quirks| {
        let workers = run(args.clone(), quirks, &[(0, 20, 1, 0)]);
        let admissions = &workers.story(0).admissions;
        admissions
            .iter()
            .map(|one| (one.1, one.2))
            .collect::<Vec<_>>()
    };
    assert_eq!(admissions(Quirks::NONE), [(0, false)]);
    assert_eq!(
        admissions(Quirks::NONE.with(Quirk::ReuseIsMaximum)),
        [(0, false), (8, true), (16, true)]
    );
}
