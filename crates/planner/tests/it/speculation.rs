//! The planner guide's worked figures of speculative decoding: 64 tokens with two certain drafts, batches of 16,
//! 40 ms a forward.

use planner::{
    AcceptLength, AggCapacity, AggModel, AggQuestion, BalanceTest, DecodeCapacity, DecodeModel,
    DecodeQuestion, EngineCapabilities, LinearSettings, Pass,
};

/// 64 tokens in 22 forwards, of which the last makes one token visible instead of three.
const ACCEPT_LENGTH: f64 = 64.0 / 22.0;

/// Engines that decode batches of 16 with contexts of 500 in 40 ms: 6 ms, 2 ms a request, 0.25 µs a token of KV.
fn decode_model() -> DecodeModel {
    let mut model = DecodeModel::new(&LinearSettings::default());
    for batch in 1..=16 {
        for context in [100, 500, 900] {
            model.observe(&Pass {
                wall_s: 0.006 + 0.002 * batch as f64 + 2.5e-7 * (batch * context) as f64,
                num_decode: batch,
                decode_kv_tokens: batch * context,
                ..Pass::default()
            });
        }
    }
    model
}

fn capacity(accept_length: f64) -> DecodeCapacity {
    decode_model().capacity(&DecodeQuestion {
        itl_ms: 50.0,
        context: 500.0,
        osl: 64.0,
        max_kv_tokens: None,
        max_sequences: Some(16),
        accept_length,
    })
}

/// A figure as the guide prints it.
fn rounded(value: f64, digits: i32) -> f64 {
    (value * 10f64.powi(digits)).round() / 10f64.powi(digits)
}

#[test]
fn the_accept_length_is_2_91() {
    let engines = EngineCapabilities {
        draft_tokens: Some(2),
        ..EngineCapabilities::default()
    };
    let mut seen = AcceptLength::new(&engines, 0);
    assert_eq!(seen.effective(), 1.0, "nothing seen yet");
    seen.observe(Some(ACCEPT_LENGTH));
    assert_eq!(rounded(seen.effective(), 2), 2.91);
    seen.observe(None);
    assert_eq!(rounded(seen.effective(), 2), 2.91, "the last value stays");
    seen.observe(Some(3.4));
    assert_eq!(seen.effective(), 3.0, "at most nextn + 1");
    seen.observe(Some(0.2));
    assert_eq!(seen.effective(), 1.0, "at least the token without drafts");
}

#[test]
fn without_drafts_a_token_takes_40_ms_and_an_engine_serves_6_25_requests_a_second() {
    let none = capacity(1.0);
    assert_eq!(rounded(none.itl_ms, 6), 40.0);
    assert_eq!(rounded(none.rps, 6), 6.25);
}

#[test]
fn with_drafts_a_token_takes_13_7_ms_and_an_engine_serves_18_2_requests_a_second() {
    let drafts = capacity(ACCEPT_LENGTH);
    // The guide divides by the accept length as it is printed, 2.91.
    assert_eq!(rounded(drafts.itl_ms, 6), 13.75);
    assert_eq!(rounded(capacity(2.91).itl_ms, 1), 13.7);
    assert_eq!(rounded(drafts.rps, 1), 18.2);
    assert_eq!(rounded(capacity(2.91).rps, 1), 18.2);
}

#[test]
fn drafts_let_a_batch_meet_a_target_that_it_missed() {
    let question = |accept_length| DecodeQuestion {
        itl_ms: 14.0,
        context: 500.0,
        osl: 64.0,
        max_kv_tokens: None,
        max_sequences: Some(16),
        accept_length,
    };
    let mut model = decode_model();
    // 14 ms hold three requests, or all sixteen with 2.91 tokens a forward.
    let (none, drafts) = (
        model.capacity(&question(1.0)),
        model.capacity(&question(2.91)),
    );
    assert_eq!(rounded(none.rps, 6), rounded(3.0 / (64.0 * 0.012_375), 6));
    assert_eq!(rounded(drafts.rps, 1), 18.2);
}

#[test]
fn aggregated_engines_need_more_prefill_beside_faster_decodes() {
    let mut model = AggModel::new(&LinearSettings::default());
    for prompt in [64, 256, 512, 1024] {
        for kv in [1000, 8000, 16000] {
            model.observe(&Pass {
                wall_s: 0.002 + 1e-6 * prompt as f64 + 1e-7 * kv as f64,
                num_prefill: 1,
                prefill_tokens: prompt,
                num_decode: kv / 500,
                decode_kv_tokens: kv,
                ..Pass::default()
            });
        }
    }
    let question = |accept_length| AggQuestion {
        isl: 512.0,
        osl: 64.0,
        max_batched: 2048,
        ttft_ms: 10_000.0,
        itl_ms: 10_000.0,
        max_kv_tokens: None,
        max_sequences: None,
        hit_rate: None,
        accept_length,
        balance: BalanceTest::Steady,
    };
    // B·A·512/64 ≤ 2048 − B: 227 requests, with three tokens a forward 81.
    let (none, drafts) = (
        model.capacity(&question(1.0)),
        model.capacity(&question(3.0)),
    );
    let batch = |capacity: AggCapacity| capacity.rps * 64.0 * capacity.itl_ms / 1000.0;
    assert_eq!(rounded(batch(none), 3), 227.0);
    assert_eq!(rounded(batch(drafts), 3), 81.0);
}
