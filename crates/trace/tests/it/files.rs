//! Cutting, writing and validating files.

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use sim_core::SimTime;
use trace::{Load, StreamedTrace, Trace, TraceOptions, Window, cut, validate};

use crate::playing::{OPEN, spec};

const ROWS: &str = r#"{"timestamp": 100, "output_length": 1, "hash_ids": [1], "extra": true}

{"session_id": "a", "timestamp": 1100, "output_length": 1, "hash_ids": [2]}
{"timestamp": 2600, "output_length": 1, "hash_ids": [3]}
{"session_id": "a", "delay": 5.5, "output_length": 0, "hash_ids": [2, 4]}
"#;

fn cut_lines(window: Window) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.jsonl"), dir.path().join("out.jsonl"));
    fs::write(&input, ROWS).unwrap();
    let count = cut(&input, &output, &window, &TraceOptions::default()).unwrap();
    let lines: Vec<String> = fs::read_to_string(&output)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len() as u64, count);
    lines
}

#[test]
fn rows_are_cut_as_they_are_written() {
    let whole = Window::default();
    let rows: Vec<&str> = ROWS.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        cut_lines(Window {
            limit: Some(2),
            ..whole
        }),
        rows[..2]
    );
    assert_eq!(
        cut_lines(Window {
            from_s: Some(1.0),
            ..whole
        }),
        rows[1..]
    );
    assert_eq!(
        cut_lines(Window {
            to_s: Some(1.0),
            ..whole
        }),
        rows[..1]
    );
    let middle = Window {
        from_s: Some(1.0),
        to_s: Some(2.0),
        limit: None,
    };
    assert_eq!(cut_lines(middle), [rows[1], rows[3]]);
}

#[test]
fn an_empty_cut_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.jsonl"), dir.path().join("out.jsonl"));
    fs::write(&input, ROWS).unwrap();
    let window = Window {
        from_s: Some(9.0),
        ..Window::default()
    };
    assert!(cut(&input, &output, &window, &TraceOptions::default()).is_err());
    assert!(!output.exists());
}

#[test]
fn what_is_written_reads_back_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let trace = Trace::from_bytes("rows", ROWS, &TraceOptions::default()).unwrap();
    for name in ["out.jsonl", "out.jsonl.gz"] {
        let path = dir.path().join(name);
        trace.write_mooncake(&path).unwrap();
        let again = Trace::open(&path, &TraceOptions::default()).unwrap();
        assert_eq!(again.digest(), trace.digest());
    }
}

#[test]
fn every_problem_is_found_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    let bad = "{\"timestamp\": 1}\n\n{\"output_length\": -1}\nnonsense\n";
    fs::write(
        &path,
        format!("{bad}{ROWS}{{\"output_length\": 1, \"hash_ids\": [5]}}\n"),
    )
    .unwrap();
    let found = validate(&path, &TraceOptions::default()).unwrap();
    let lines: Vec<u64> = found.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 4]);
    assert_eq!(
        (found.problem_count, found.requests, found.sessions),
        (3, 5, 4)
    );
    assert_eq!((found.impossible, found.untimed.len()), (1, 1));
    assert!(found.in_order && !found.is_valid());
}

proptest! {
    #[test]
    fn broken_files_never_panic(
        at in 0_usize..400, byte in any::<u8>(), cut_at in 0_usize..400, gzip in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(if gzip { "t.jsonl.gz" } else { "t.jsonl" });
        let trace = Trace::from_bytes("rows", ROWS, &TraceOptions::default()).unwrap();
        trace.write_mooncake(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut_at % bytes.len());
        let read = Trace::from_bytes("broken", bytes, &TraceOptions::default());
        if let Err(error) = read {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn random_bytes_never_panic(head in 0_usize..3, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let magic: [&[u8]; 3] = [&[], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd]];
        let bytes = [magic[head], &bytes].concat();
        prop_assert!(Trace::from_bytes("random", bytes, &TraceOptions::default()).is_err());
    }
}

#[test]
fn a_streamed_trace_plays_as_the_whole_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("twin.jsonl.gz");
    trace::AgenticTwin::new(3)
        .trace()
        .write_mooncake(&path)
        .unwrap();
    let options = TraceOptions::default();
    let streamed = StreamedTrace::scan(&path, &options).unwrap().unwrap();
    let whole = Trace::open(&path, &options).unwrap();
    assert_eq!(streamed.requests(), whole.len() as u64);
    let window = Window {
        from_s: Some(30.0),
        to_s: Some(90.0),
        limit: Some(500),
    };
    let played = |load| {
        let mut spec = spec(load, OPEN);
        (spec.window, spec.engine_block_size) = (window, 64);
        let mut out = Vec::new();
        let mut workload = spec.build().unwrap();
        workload
            .release(SimTime::MAX, usize::MAX, &mut out)
            .unwrap();
        out
    };
    let one = played(Load::Streamed(streamed));
    let two = played(Load::Trace(Arc::new(whole)));
    assert!(one.len() > 300);
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[test]
fn sessions_and_disorder_are_not_streamed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.jsonl");
    fs::write(&path, ROWS).unwrap();
    let options = TraceOptions::default();
    assert!(StreamedTrace::scan(&path, &options).unwrap().is_none());
    fs::write(&path, "").unwrap();
    assert!(StreamedTrace::scan(&path, &options).is_err());
}
