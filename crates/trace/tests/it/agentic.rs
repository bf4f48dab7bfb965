//! Agentic sessions.

use std::sync::Arc;

use sim_core::SimDuration;
use trace::{Load, Pacing, Trace, TraceError, TraceFormat, TraceOptions};

use crate::playing::{OPEN, play, spec, times};

fn read(rows: &str, shared_prefix_ratio: f64) -> Result<Trace, TraceError> {
    let options = TraceOptions {
        format: TraceFormat::AppliedComputeAgentic,
        block_size: 4,
        shared_prefix_ratio,
        num_prefix_groups: 1,
    };
    Trace::from_bytes("rows", rows, &options)
}

fn row(turns: &str, latency: &str) -> String {
    format!(
        "{{\"num_turns\":{turns},\"input_prompt_length\":6,\"assistant_response_length\":[3],\
         \"tool_call_output_length\":[2],\"tool_call_latency\":[{latency}],\
         \"final_assistant_response_length\":4}}\n"
    )
}

#[test]
fn a_prompt_repeats_all_that_was_said_before_it() {
    let trace = read(&row("1", "0.5"), 0.0).unwrap();
    let lengths: Vec<(u32, u32, f64)> = trace
        .requests()
        .map(|request| {
            (
                request.input_tokens,
                request.output_tokens,
                request.delay_ms,
            )
        })
        .collect();
    assert_eq!(lengths, [(6, 3, 0.0), (11, 4, 500.0)]);
    let ids: Vec<&[u64]> = trace.requests().map(|request| request.hash_ids).collect();
    assert_eq!(ids, [&[1, 2][..], &[1, 2, 3]]);
    let load = Load::Trace(Arc::new(trace));
    let mut workload = spec(load, Pacing::Closed { concurrency: 1 })
        .build()
        .unwrap();
    let arrivals = play(workload.as_mut(), SimDuration::from_ns(1_000_000), 1);
    assert_eq!(times(&arrivals), [(0, 0, 0.0), (0, 1, 501.0)]);
}

#[test]
fn sessions_of_a_group_share_their_first_prompt_s_beginning() {
    let trace = read(&row("1", "0").repeat(2), 1.0).unwrap();
    let ids: Vec<&[u64]> = trace.requests().map(|request| request.hash_ids).collect();
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[1], ids[3]);
}

#[test]
fn what_is_wrong_is_named() {
    let empty = r#"{"num_turns":1,"input_prompt_length":1,"final_assistant_response_length":1}"#;
    for (rows, phrase) in [
        (empty.to_owned(), "length 0 does not match num_turns 1"),
        (row("2", "0"), "length 1 does not match num_turns 2"),
        (row("1", "-1"), "invalid tool_call_latency"),
        (
            row("1", "0").replace(":6,", ":999999999,"),
            "use larger trace blocks",
        ),
        (
            row("1", "0").replace(":6,", ":18446744073709551615,"),
            "tokens, expected fewer",
        ),
        ("{}".to_owned(), "num_turns"),
    ] {
        let found = read(&rows, 0.0).unwrap_err().to_string();
        assert!(
            found.contains(phrase) && found.contains("line 1"),
            "{found}"
        );
    }
    let open = spec(
        Load::Trace(Arc::new(read(&row("1", "0"), 0.0).unwrap())),
        OPEN,
    )
    .build();
    let found = open.err().unwrap().to_string();
    assert!(found.contains("requires replay_concurrency"), "{found}");
}

#[test]
fn settings_of_the_reader_are_checked() {
    let found = read(&row("1", "0"), 2.0).unwrap_err().to_string();
    assert!(found.contains("between 0.0 and 1.0, got 2"), "{found}");
    let options = TraceOptions {
        format: TraceFormat::AppliedComputeAgentic,
        block_size: 0,
        ..TraceOptions::default()
    };
    let found = Trace::from_bytes("rows", row("1", "0"), &options).unwrap_err();
    assert!(
        found
            .to_string()
            .contains("trace_block_size must be at least 1")
    );
}
