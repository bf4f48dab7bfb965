//! Logs of real services, replayed and converted by the real binary.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::binary::{dynosim, stderr, stdout};

const AZURE: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n\
    2023-11-16 18:17:03.9799600,4808,10\r\n\
    2023-11-16 18:17:04.0319600,3180,8\r\n\
    2023-11-16 18:17:04.0781490,110,27\r\n";
const BURST: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
    5,ChatGPT,472,18,490,Conversation log\n\
    45,ChatGPT,1087,230,1317,Conversation log\n\
    118,GPT-4,417,0,417,API log\n\
    119.5,GPT-4,1360,203,1563,API log\n";

fn file(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn refused(args: &[&str]) -> String {
    let output = dynosim(args);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn logs_become_mooncake_traces() {
    for (format, text, rows) in [
        (
            "azure",
            AZURE,
            "{\"timestamp\": 0, \"input_length\": 4808, \"output_length\": 10, \
             \"hash_ids\": [1, 2]}\n\
             {\"timestamp\": 52, \"input_length\": 3180, \"output_length\": 8, \
             \"hash_ids\": [3]}\n\
             {\"timestamp\": 98.189, \"input_length\": 110, \"output_length\": 27, \
             \"hash_ids\": [4]}\n",
        ),
        (
            "burstgpt",
            BURST,
            "{\"timestamp\": 5000, \"input_length\": 472, \"output_length\": 18, \
             \"hash_ids\": [1]}\n\
             {\"timestamp\": 45000, \"input_length\": 1087, \"output_length\": 230, \
             \"hash_ids\": [2]}\n\
             {\"timestamp\": 119500, \"input_length\": 1360, \"output_length\": 203, \
             \"hash_ids\": [3]}\n",
        ),
    ] {
        let (folder, log) = file("log.csv", text);
        let out = folder.path().join("out.jsonl");
        let (log, out) = (log.to_str().unwrap(), out.to_str().unwrap());
        let output = dynosim(&[
            "trace",
            "convert",
            log,
            "--trace-format",
            format,
            "--trace-block-size",
            "4096",
            "-o",
            out,
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output).contains("3 rows, blocks of 4096 tokens"));
        assert_eq!(std::fs::read_to_string(out).unwrap(), rows);
        // The log itself replays as what it was converted to.
        let figures = |trace: &str, format: &str| {
            let output = dynosim(&[
                "replay",
                trace,
                "--trace-format",
                format,
                "--trace-block-size",
                "4096",
                "--no-wall-clock",
            ]);
            assert!(output.status.success(), "{}", stderr(&output));
            stdout(&output)
        };
        assert_eq!(figures(log, format), figures(out, "mooncake"));
    }
}

#[test]
fn offsets_and_other_columns_do_not_matter() {
    let (_folder, log) = file(
        "log.csv",
        "Model,GeneratedTokens,TIMESTAMP,ContextTokens\n\
         x,7,\"2024-05-10 00:00:00.009930+00:00\",\"900\"\n\
         y,9,2024-05-10 02:00:01.009930+02:00,10\n",
    );
    let args = [
        "trace",
        "stats",
        log.to_str().unwrap(),
        "--trace-format",
        "azure",
    ];
    let output = dynosim(&args);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("span          1.0 s"), "{text}");
    assert!(text.contains("mean 455.0"), "{text}");
}

#[test]
fn what_is_wrong_in_a_log_is_named_with_its_line_and_column() {
    for (text, told) in [
        (
            "TIMESTAMP,GeneratedTokens\n",
            &["line 1", "ContextTokens"][..],
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n",
            &["line 2", "TIMESTAMP", "2023-11-16", "yesterday"],
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,-1,2\n",
            &["line 2", "ContextTokens", "-1"],
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,1\n",
            &["line 2", "GeneratedTokens"],
        ),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,0,1\n",
            &["line 2", "ContextTokens: expected at least 1"],
        ),
    ] {
        let (_folder, log) = file("log.csv", text);
        let said = refused(&["replay", log.to_str().unwrap(), "--trace-format", "azure"]);
        for word in told {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn a_log_needs_its_format_and_a_version_that_reads_it() {
    let (_folder, log) = file("log.csv", AZURE);
    let log = log.to_str().unwrap();
    assert!(refused(&["replay", log]).contains("--trace-format azure"));
    assert!(refused(&["trace", "validate", log]).contains("--trace-format azure"));
    assert!(refused(&["trace", "cut", log, "-o", "x"]).contains("--trace-format azure"));
    // One wrong heading is one mistake, however long the log.
    let validate = ["trace", "validate", log, "--trace-format", "burstgpt"];
    assert!(refused(&validate).contains("1 rows are wrong"));
    let compat = [
        "replay",
        log,
        "--trace-format",
        "azure",
        "--compat",
        "1.2.1",
    ];
    assert!(refused(&compat).contains("azure is not in version 1.2.1"));
    let said = refused(&["replay", log, "--trace-format", "azur"]);
    assert!(said.contains("did you mean azure?"), "{said}");
}
