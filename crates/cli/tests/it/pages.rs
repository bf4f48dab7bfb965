//! Pages beside the figures: of runs, of comparisons, of traces.

use std::path::Path;

use crate::binary::{dynosim, stderr, stdout};

const ROWS: &str = r#"{"timestamp": 0, "input_length": 600, "output_length": 9, "hash_ids": [1, 2]}
{"timestamp": 500, "input_length": 700, "output_length": 30, "hash_ids": [1, 3]}
{"timestamp": 900, "input_length": 300, "output_length": 5, "hash_ids": [4]}
"#;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(args: &[&str]) -> String {
    let output = dynosim(args);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn statistics_of_a_trace_have_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("a & b.jsonl");
    std::fs::write(&trace, ROWS).unwrap();
    let page = folder.path().join("pages/trace.html");
    let plain = run(&["trace", "stats", text(&trace)]);
    let with_page = run(&["trace", "stats", text(&trace), "--html", text(&page)]);
    assert_eq!(plain, with_page);
    let page = std::fs::read_to_string(page).unwrap();
    for expected in [
        "Workload · a &amp; b.jsonl",
        "3 requests in 0.90 s",
        "1 of 5 blocks",
        "<h3>First blocks</h3>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn runs_and_their_comparison_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for workers in ["1", "3"] {
        run(&[
            "replay",
            "--input-tokens",
            "600",
            "--output-tokens",
            "40",
            "--request-count",
            "50",
            "--arrival-interval-ms",
            "30",
            "--num-workers",
            workers,
            "--report-json",
            text(&at(&format!("{workers}.json"))),
            "--html",
            text(&at(&format!("{workers}.html"))),
        ]);
    }
    let page = std::fs::read_to_string(at("3.html")).unwrap();
    assert!(page.contains("50 of 50 requests completed"));
    assert!(page.contains("--num-workers 3"));

    let (one, three, page) = (at("1.json"), at("3.json"), at("compare.html"));
    let args = ["compare", text(&one), text(&three), "--html", text(&page)];
    let table = run(&args);
    assert_eq!(table, run(&args[..3]));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("2 runs side by side"));
    assert!(page.contains("<h3>Time to first token</h3>"));
}

#[test]
fn a_page_that_cannot_be_written_fails_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t.jsonl");
    std::fs::write(&trace, ROWS).unwrap();
    let below_a_file = trace.join("page.html");
    let output = dynosim(&[
        "trace",
        "stats",
        text(&trace),
        "--html",
        text(&below_a_file),
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("page.html") || stderr(&output).contains("t.jsonl"));
}
