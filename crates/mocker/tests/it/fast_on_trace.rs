//! The fast vLLM engine equals the literal one on prompts of a real trace.
//!
//! Skipped where the trace is not at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use mocker::{ModelMaker, Preemption, VllmConfig};
use serde::Deserialize;
use sim_api::{
    Compat, DecodeAxis, EngineRequest, Feeds, KvRun, Limit, Prompt, RequestId, Role, SegmentId,
};
use sim_core::SimTime;

use crate::fast_equals_literal::Pair;
use crate::models::TestModel;
use crate::polynomial::Polynomial;

const TRACE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/traces/conversation_1000.jsonl"
);
const TRACE_BLOCK: u32 = 512;
const BLOCK: u32 = 64;

#[derive(Deserialize)]
struct Row {
    timestamp: u64,
    input_length: u32,
    output_length: u32,
    hash_ids: Vec<u64>,
}

/// The rows, arriving `speedup` times as fast.
fn arrivals(text: &str, speedup: u64) -> Vec<(SimTime, EngineRequest)> {
    // An id stands for a whole prefix, so it and the place in it name a block.
    let mut known = BTreeMap::new();
    let per_id = TRACE_BLOCK / BLOCK;
    let arrive = |(number, line): (u32, &str)| {
        let row: Row = serde_json::from_str(line).unwrap();
        let mut runs: Vec<KvRun> = Vec::new();
        for block in 0..row.input_length / BLOCK {
            let key = (row.hash_ids[(block / per_id) as usize], block % per_id);
            let segment = *known.entry(key).or_insert(SegmentId(number));
            match runs.last_mut() {
                Some(run) if run.segment == segment => run.blocks += 1,
                _ => runs.push(KvRun { segment, blocks: 1 }),
            }
        }
        let request = EngineRequest {
            id: RequestId(number),
            prompt: Prompt::new(row.input_length, runs.into()),
            output_tokens: row.output_length,
        };
        (
            SimTime::from_ns(row.timestamp * 1_000_000 / speedup),
            request,
        )
    };
    (0..).zip(text.lines()).map(arrive).collect()
}

/// Every third request, to one worker.
fn compare(text: &str, blocks: u32, compat: Compat, model: &ModelMaker, speedup: u64) {
    let config = VllmConfig {
        role: Role::Aggregated,
        block_tokens: BLOCK,
        blocks,
        max_sequences: Some(256),
        max_batched_tokens: Some(8192),
        max_model_tokens: None,
        prefix_caching: true,
        chunked_prefill: true,
        prefill_speedup: 1.0,
        decode_speedup: 1.0,
        preemption: Preemption::Lifo,
        speculation: None,
        quirks: compat.quirks(),
    };
    let feeds = Feeds {
        passes: true,
        kv: true,
    };
    let mut pair = Pair::new(&config, model, feeds);
    for (at, request) in arrivals(text, speedup).into_iter().step_by(3) {
        assert!(pair.advance(Limit::Before(at)).unwrap());
        pair.accept(at, request).unwrap();
    }
    assert!(pair.advance(Limit::Through(SimTime::MAX)).unwrap());
}

#[test]
fn fast_equals_literal_on_a_trace() {
    let Ok(text) = std::fs::read_to_string(TRACE) else {
        eprintln!("skipped: no {TRACE}");
        return;
    };
    let polynomial: ModelMaker = Arc::new(|| Box::new(Polynomial));
    let axis = DecodeAxis::Context;
    let by_context: ModelMaker = Arc::new(move || Box::new(TestModel { axis }));
    compare(&text, 16384, Compat::V1_2_1, &polynomial, 1);
    // Overloaded: requests preempt each other.
    compare(&text, 4000, Compat::Default, &polynomial, 8);
    compare(&text, 6000, Compat::Default, &by_context, 40);
}
