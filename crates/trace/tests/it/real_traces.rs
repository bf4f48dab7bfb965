//! The published traces, where they are at hand.

use std::num::NonZeroU32;
use std::path::PathBuf;

use sim_api::Quirks;
use trace::{BlockSizes, PrefixInterner, Trace, TraceOptions, TraceStats};

pub(crate) fn published(name: &str) -> Option<Trace> {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/traces"
    ))
    .join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(Trace::open(&path, &TraceOptions::default()).unwrap())
}

#[test]
fn the_conversation_trace_has_its_known_size_and_reuse() {
    let Some(trace) = published("conversation_trace.jsonl") else {
        return;
    };
    assert_eq!(trace.len(), 12_031);
    assert!(!trace.is_multi_turn());
    let stats = TraceStats::of(&trace);
    assert!((stats.block_reuse_ratio - 0.366).abs() < 0.001);
    assert_eq!(
        (stats.isl.mean.round(), stats.osl.mean.round()),
        (12_035.0, 343.0)
    );
    assert_eq!(stats.arrivals.instants, 1_180);
    let size = |tokens| NonZeroU32::new(tokens).unwrap();
    let sizes = BlockSizes {
        trace: size(512),
        engine: size(64),
    };
    let mut interner = PrefixInterner::new(sizes, Quirks::ALL);
    let (mut blocks, mut runs) = (0_u64, 0_u64);
    for request in trace.requests() {
        let prompt = interner.prompt(request.hash_ids, request.input_tokens);
        assert_eq!(prompt.full_blocks(), request.input_tokens / 64);
        blocks += u64::from(prompt.full_blocks());
        runs += prompt.runs().len() as u64;
    }
    // Runs are what engines and routers touch: few next to blocks.
    assert!(blocks > 2_000_000, "{blocks}");
    assert!(runs < 50_000, "{runs}");
}
