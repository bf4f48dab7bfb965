//! The generated workload against the published statistics it imitates.

use trace::{AgenticTwin, TraceStats};

#[track_caller]
fn near(what: &str, found: f64, wanted: f64, tolerance: f64) {
    let off = (found - wanted).abs() / wanted;
    assert!(
        off <= tolerance,
        "{what}: {found} instead of {wanted}, off by {off:.3}"
    );
}

#[test]
fn every_published_figure_is_met() {
    let trace = AgenticTwin::new(7).trace();
    let stats = TraceStats::of(&trace);
    assert_eq!(stats.requests, 23_608);
    near("span", stats.arrivals.span_ms, 3_536_999.0, 1e-9);
    near("rate", stats.arrivals.mean_rps, 6.675, 0.001);
    near(
        "input tokens",
        stats.input_tokens as f64,
        202_940_084.0,
        0.01,
    );
    near("unique ids", stats.unique_blocks as f64, 183_300.0, 0.02);
    near("reuse", stats.block_reuse_ratio, 0.553, 0.02);
    near("hit ratio", stats.hit_ratio_mean, 0.6298, 0.05);
    near("once", stats.once_ratio, 0.75, 0.12);
    near(
        "blocks a request",
        stats.blocks_per_request.mean,
        17.4,
        0.02,
    );
    near(
        "blocks a request",
        stats.blocks_per_request.p50 as f64,
        13.0,
        0.0,
    );
    for (what, found, wanted, tolerance) in [
        ("isl mean", stats.isl.mean, 8_596.24, 0.01),
        ("isl std", stats.isl.std, 10_994.03, 0.06),
        ("isl min", stats.isl.min as f64, 890.0, 0.01),
        ("isl p25", stats.isl.p25 as f64, 3_227.0, 0.03),
        ("isl p50", stats.isl.p50 as f64, 6_346.0, 0.02),
        ("isl p75", stats.isl.p75 as f64, 7_470.0, 0.02),
        ("isl p90", stats.isl.p90 as f64, 16_794.0, 0.03),
        ("isl p95", stats.isl.p95 as f64, 26_081.0, 0.03),
        ("isl p99", stats.isl.p99 as f64, 61_623.0, 0.07),
        ("isl max", stats.isl.max as f64, 125_546.0, 0.02),
        ("osl mean", stats.osl.mean, 182.0, 0.03),
        ("osl std", stats.osl.std, 242.276, 0.05),
        ("osl p25", stats.osl.p25 as f64, 13.0, 0.25),
        ("osl p50", stats.osl.p50 as f64, 30.0, 0.07),
        ("osl p75", stats.osl.p75 as f64, 356.0, 0.03),
        ("osl max", stats.osl.max as f64, 2_000.0, 0.05),
    ] {
        near(what, found, wanted, tolerance);
    }
    let firsts: Vec<f64> = stats
        .top_first_blocks
        .iter()
        .map(|prefix| prefix.requests as f64 / 23_608.0)
        .collect();
    for (found, wanted) in firsts.iter().zip([0.463, 0.390, 0.146]) {
        near("first block", *found, wanted, 0.01);
    }
    assert_eq!(stats.first_blocks, 3);
    assert_eq!(stats.depth2_prefixes, 6_554);
    assert_eq!(stats.top_depth2_prefixes[0].requests, 9_203);
    assert_eq!(stats.top_depth2_prefixes[1].requests, 3_449);
    near("bursts", stats.arrivals.instants as f64, 1_180.0, 0.01);
    assert_eq!(stats.arrivals.gap_p50_ms, 0.0);
}

#[test]
fn a_seed_is_one_trace_and_another_seed_another() {
    let digest = |seed| AgenticTwin::new(seed).trace().digest();
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}
