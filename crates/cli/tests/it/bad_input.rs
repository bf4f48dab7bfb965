//! The table of bad input: each a clear message, no panic, nothing left behind.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::binary::{dynosim, stderr, stdout};

const GOOD: &str = r#"{"timestamp": 0, "input_length": 100, "output_length": 4, "hash_ids": [1]}"#;

/// Contents of a trace file, what is said about it, and the exit code.
const TRACES: &[(&str, &str, i32)] = &[
    ("", "did not contain any requests", 2),
    ("\n\n", "did not contain any requests", 2),
    ("{", "line 1", 2),
    ("[1, 2]", "line 1", 2),
    ("nonsense", "line 1", 2),
    (
        r#"{"timestamp": 0, "input_length": 4, "hash_ids": [1]}"#,
        "line 1 is missing output_length",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4, "output_length": 1}"#,
        "line 1 is missing hash_ids",
        2,
    ),
    (
        r#"{"input_length": 4, "output_length": 1, "hash_ids": [1]}"#,
        "request_1",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": -4, "output_length": 1, "hash_ids": [1]}"#,
        "input_length",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4.5, "output_length": 1, "hash_ids": [1]}"#,
        "input_length",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4, "output_length": 1e30, "hash_ids": [1]}"#,
        "output_length",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4, "output_length": 99999999999999999999, "hash_ids": [1]}"#,
        "output_length",
        2,
    ),
    (
        r#"{"timestamp": "now", "input_length": 4, "output_length": 1, "hash_ids": [1]}"#,
        "timestamp",
        2,
    ),
    (
        r#"{"timestamp": 1e300, "input_length": 4, "output_length": 1, "hash_ids": [1]}
{"timestamp": 0, "input_length": 4, "output_length": 1, "hash_ids": [1]}"#,
        "timestamp",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4, "output_length": 1, "hash_ids": [-1]}"#,
        "hash_ids",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 4, "output_length": 1, "hash_ids": "abc"}"#,
        "hash_ids",
        2,
    ),
    (
        r#"{"timestamp": 0, "input_length": 100, "output_length": 0, "hash_ids": [1]}"#,
        "output length is 0",
        1,
    ),
    (
        r#"{"timestamp": 0, "input_length": 1000000000, "output_length": 4000000000}"#,
        "hash_ids",
        2,
    ),
];

#[test]
fn bad_traces_are_named_by_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let report = folder.path().join("report.json");
    for (text, said, code) in TRACES {
        std::fs::write(&path, text).unwrap();
        let (path, report) = (path.to_str().unwrap(), report.to_str().unwrap());
        let output = dynosim(&["replay", path, "--report-jsonl", report]);
        let complaint = stderr(&output);
        assert_eq!(output.status.code(), Some(*code), "{text}\n{complaint}");
        assert!(complaint.contains(said), "{text}\n{complaint}");
        assert!(!complaint.contains("panicked"), "{text}\n{complaint}");
        if *code == 2 {
            assert!(!Path::new(report).exists(), "{text}");
        } else {
            std::fs::remove_file(report).unwrap();
        }
    }
}

#[test]
fn a_request_larger_than_the_pool_is_counted_and_named_and_the_rest_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let huge = r#"{"timestamp": 1, "input_length": 900, "output_length": 4, "hash_ids": [2, 3]}"#;
    std::fs::write(&path, format!("{GOOD}\n{huge}\n{GOOD}\n")).unwrap();
    let engine = r#"{"block_size": 16, "num_gpu_blocks": 20}"#;
    let path = path.to_str().unwrap();
    let output = dynosim(&["replay", path, "--extra-engine-args", engine]);
    assert_eq!(output.status.code(), Some(0));
    let complaint = stderr(&output);
    assert!(complaint.contains("1 of 3 requests"), "{complaint}");
    assert!(
        complaint.contains("request 2: needs 57 KV blocks"),
        "{complaint}"
    );
    assert!(stdout(&output).contains("2.00"));
}

#[test]
fn files_that_are_none_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.jsonl");
    let output = dynosim(&["replay", missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("missing.jsonl"));
    let output = dynosim(&["replay", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("folder") || stderr(&output).contains("irectory"));
}

#[test]
fn a_cut_gzip_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl.gz");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for _ in 0..200 {
        writeln!(encoder, "{GOOD}").unwrap();
    }
    let whole = encoder.finish().unwrap();
    std::fs::write(&path, &whole).unwrap();
    let good = dynosim(&["replay", path.to_str().unwrap(), "--quiet"]);
    assert_eq!(good.status.code(), Some(0), "{}", stderr(&good));
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let output = dynosim(&["replay", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("trace.jsonl.gz"),
        "{}",
        stderr(&output)
    );
}

/// Flags on a good trace, and what is said about them.
const FLAGS: &[(&[&str], &str)] = &[
    (
        &["--extra-engine-args", "{\"blok_size\": 16}"],
        "did you mean \"block_size\"",
    ),
    (
        &["--extra-engine-args", "{\"block_size\": \"big\"}"],
        "block_size",
    ),
    (
        &["--extra-engine-args", "{\"num_gpu_blocks\": 0}"],
        "num_gpu_blocks",
    ),
    (&["--extra-engine-args", "{broken"], "not valid JSON"),
    (
        &["--extra-engine-args", "no-such-file.json"],
        "neither JSON nor a file",
    ),
    (
        &["--extra-engine-args", "@no-such-file.json"],
        "no-such-file.json",
    ),
    (&["--extra-engine-args", "[1]"], "expected a JSON object"),
    (&["--num-workers", "0"], "num_workers >= 1"),
    (&["--num-workers", "many"], "--num-workers"),
    (
        &["--replay-concurrency", "0"],
        "replay_concurrency must be at least 1",
    ),
    (
        &["--replay-concurrency", "-3"],
        "replay_concurrency must be at least 1",
    ),
    (
        &["--arrival-speedup-ratio", "0"],
        "finite positive number, got 0",
    ),
    (&["--arrival-speedup-ratio", "-1"], "finite positive number"),
    (
        &["--arrival-speedup-ratio", "NaN"],
        "finite positive number",
    ),
    (&["--trace-block-size", "0"], "trace_block_size"),
    (&["--trace-format", "parquet"], "mooncake"),
    (&["--replay-mode", "online"], "offline"),
    (&["--router-mode", "psychic"], "round_robin"),
    (&["--compat", "0.9"], "1.2.1"),
    (&["--sla-ttft-ms", "-1"], "--sla-ttft-ms"),
    (&["--fail-below-sla", "2"], "between 0 and 1"),
    (&["--kv-event-lag-ms", "inf"], "--kv-event-lag-ms"),
    (&["--input-tokens", "5"], "trace"),
    (&["--no-such-flag"], "--no-such-flag"),
    (&["--limit", "0"], "limit"),
    (&["--from", "-1"], "from"),
    (&["--from", "5", "--to", "4"], "to"),
    (&["--from", "500"], "did not contain any requests"),
];

#[test]
fn bad_flags_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    std::fs::write(&path, GOOD).unwrap();
    for (flags, said) in FLAGS {
        let args = [&["replay", path.to_str().unwrap()], *flags].concat();
        let output = dynosim(&args);
        let complaint = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{flags:?}\n{complaint}");
        assert!(complaint.starts_with("error: "), "{flags:?}\n{complaint}");
        assert!(complaint.contains(said), "{flags:?}\n{complaint}");
    }
}

const SMALL: &[&str] = &[
    "replay",
    "--input-tokens",
    "8",
    "--output-tokens",
    "2",
    "--request-count",
    "2",
];

#[test]
fn a_disk_that_is_full_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: there is no /dev/full here");
        return;
    };
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dynosim"))
        .args(SMALL)
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("No space left"),
        "{}",
        stderr(&output)
    );
}

/// Places that cannot be written, by the superuser either.
#[test]
fn places_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "where a folder should be").unwrap();
    let below = file.join("report.json");
    for place in [below.to_str().unwrap(), "/proc/no-report.json"] {
        for flag in ["--report-json", "--report-jsonl", "--html", "--planner-log"] {
            let output = dynosim(&[SMALL, &[flag, place]].concat());
            let complaint = stderr(&output);
            assert!(!output.status.success(), "{flag} {place}\n{complaint}");
            let name = std::path::Path::new(place).file_name().unwrap();
            let named = complaint.contains(name.to_str().unwrap()) || complaint.contains("a-file");
            assert!(named, "{flag} {place}\n{complaint}");
            assert!(!complaint.contains("panicked"), "{complaint}");
        }
    }
}
