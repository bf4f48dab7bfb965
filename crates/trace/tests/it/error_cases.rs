//! The reference's error cases on traces and synthetic loads.

use std::sync::Arc;

use sim_api::{Compat, Quirks};
use trace::{Load, Pacing, Synthetic, Trace, TraceOptions, Window, WorkloadSpec};

use crate::playing::{OPEN, of_rows, parse, spec};

/// What goes wrong with these rows, in trace mode.
fn error(rows: &str) -> String {
    let trace = match Trace::from_bytes("rows.jsonl", rows, &TraceOptions::default()) {
        Ok(trace) => trace,
        Err(error) => return error.to_string(),
    };
    let mut spec = spec(Load::Trace(Arc::new(trace)), OPEN);
    spec.quirks = Compat::V1_2_1.quirks();
    match spec.build() {
        Ok(_) => "no error".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn setting(change: impl FnOnce(&mut WorkloadSpec)) -> String {
    let mut spec = spec(Load::Synthetic(Synthetic::plain(10, 1, 1)), OPEN);
    change(&mut spec);
    spec.build()
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

fn synthetic(change: impl FnOnce(&mut Synthetic)) -> String {
    let mut load = Synthetic::plain(10, 1, 1);
    change(&mut load);
    setting(|spec| spec.load = Load::Synthetic(load))
}

fn check(found: &str, phrase: &str) {
    assert!(found.contains(phrase), "{phrase:?} is not in {found:?}");
}

#[test]
fn rows() {
    for (rows, phrase) in [
        (
            r#"{"input_length":4,"output_length":1,"hash_ids":[1]}"#,
            "trace mode requires first_arrival_timestamp_ms for session request_1",
        ),
        (
            r#"{"timestamp":0,"input_length":4,"output_length":1}"#,
            "trace line 1 is missing hash_ids",
        ),
        (
            r#"{"timestamp":0,"input_length":4,"hash_ids":[1]}"#,
            "trace line 1 is missing output_length",
        ),
        (
            r#"{"timestamp":0,"input_length":4,"output_length":1,"hash_ids":[]}"#,
            "session request_1 turn 0 must have a positive input_length",
        ),
        (
            r#"{"timestamp":0,"input_length":0,"output_length":1,"hash_ids":[1]}"#,
            "session request_1 turn 0 must have a positive input_length",
        ),
        (
            r#"{"session_id":"a","timestamp":0,"delay":5,"input_length":4,"output_length":1,"hash_ids":[1]}"#,
            "trace line 1 sets delay on the first turn of session a",
        ),
        (
            "{\"session_id\":\"a\",\"timestamp\":10,\"input_length\":4,\"output_length\":1,\"hash_ids\":[1]}\n\
             {\"session_id\":\"a\",\"timestamp\":5,\"input_length\":4,\"output_length\":1,\"hash_ids\":[1]}",
            "trace line 2 has invalid delay -5",
        ),
        (
            "\n{\"session_id\":\"a\",\"input_length\":4,\"output_length\":1,\"hash_ids\":[1]}\n\
             {\"session_id\":\"a\",\"timestamp\":5,\"input_length\":4,\"output_length\":1,\"hash_ids\":[1]}",
            "trace line 3 has a timestamp, but no earlier turn of session a",
        ),
        ("", "did not contain any requests"),
        ("\n \n", "did not contain any requests"),
        ("\n{\"timestamp\": 0", "trace line 2 is not valid JSON"),
    ] {
        let found = error(rows);
        check(&found, phrase);
        check(&found, "rows.jsonl");
    }
}

#[test]
fn times_beyond_all_bounds_name_line_and_field() {
    let row = |ms: &str| {
        format!("{{\"timestamp\":{ms},\"input_length\":4,\"output_length\":1,\"hash_ids\":[1]}}\n")
    };
    let found = error(&(row("0") + &row("1e300")));
    check(&found, "trace line 2 has invalid timestamp");
    let found = error(&(row("-1e308") + &row("1e308")));
    check(&found, "trace line 2 has invalid timestamp");
    assert_eq!(error(&(row("-5") + &row("-7.5"))), "no error");
}

#[test]
fn settings() {
    let speedup = |speedup| setting(|spec| spec.pacing = Pacing::Arrivals { speedup });
    check(
        &speedup(0.0),
        "ratio must be a finite positive number, got 0",
    );
    check(
        &speedup(f64::NAN),
        "ratio must be a finite positive number, got NaN",
    );
    check(&speedup(-1.0), "got -1");
    let closed = setting(|spec| spec.pacing = Pacing::Closed { concurrency: 0 });
    check(&closed, "replay_concurrency must be at least 1");
    check(
        &setting(|spec| spec.engine_block_size = 0),
        "block_size must be at least 1",
    );
    let window = |window| setting(|spec| spec.window = window);
    let whole = Window::default();
    check(
        &window(Window {
            limit: Some(0),
            ..whole
        }),
        "limit must be at least 1",
    );
    check(
        &window(Window {
            from_s: Some(-1.0),
            ..whole
        }),
        "from must be",
    );
    check(
        &window(Window {
            from_s: Some(2.0),
            to_s: Some(1.0),
            ..whole
        }),
        "to must be",
    );
    check(
        &window(Window {
            from_s: Some(1.0),
            ..whole
        }),
        "did not contain any requests",
    );
}

#[test]
fn synthetic_loads() {
    check(
        &synthetic(|load| load.input_tokens = 0),
        "input_tokens must be at least 1",
    );
    check(
        &synthetic(|load| load.output_tokens = 0),
        "output_tokens must be at least 1",
    );
    check(
        &synthetic(|load| load.request_count = 0),
        "request_count must be at least 1",
    );
    check(
        &synthetic(|load| load.request_count = u64::MAX),
        "request_count must be",
    );
    check(
        &synthetic(|load| load.turns_per_session = 0),
        "turns_per_session must be at least 1",
    );
    check(
        &synthetic(|load| load.shared_prefix_ratio = 2.0),
        "shared_prefix_ratio must be between 0.0 and 1.0, got 2",
    );
    check(
        &synthetic(|load| load.shared_prefix_ratio = f64::NAN),
        "shared_prefix_ratio",
    );
    check(
        &synthetic(|load| load.inter_turn_delay_ms = -1.0),
        "inter_turn_delay_ms",
    );
    check(
        &synthetic(|load| load.inter_turn_delay_ms = 1e300),
        "inter_turn_delay_ms",
    );
    for ms in [-1.0, f64::INFINITY] {
        let spacing = trace::Spacing::Interval { ms };
        check(
            &synthetic(|load| load.spacing = spacing),
            "arrival_interval_ms",
        );
    }
    let spacing = trace::Spacing::Poisson {
        per_s: 0.0,
        seed: 1,
    };
    check(
        &synthetic(|load| load.spacing = spacing),
        "request_rate must be",
    );
}

#[test]
fn an_empty_prompt_passes_where_the_reference_need_not_be_equalled() {
    let rows = r#"{"timestamp":0,"input_length":0,"output_length":1,"hash_ids":[1]}"#;
    let spec = spec(Load::Trace(Arc::new(parse(rows, 4))), OPEN);
    assert_eq!(spec.quirks, Quirks::NONE);
    assert!(spec.build().is_ok());
    assert!(of_rows(rows, Pacing::Closed { concurrency: 1 }).is_ok());
}
