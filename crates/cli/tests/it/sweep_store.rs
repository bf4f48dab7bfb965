//! What a sweep's folder survives: kills, company, full disks, stale files.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::binary::{dynosim, stderr};
use crate::fixtures::trace_file;
use crate::sweep::{files, rows, sweep};

/// Some fifteen milliseconds a point.
const LARGE: &[&str] = &[
    "--input-tokens=400",
    "--output-tokens=60",
    "--request-count=4000",
    "--request-rate=30",
    "--set=num-workers=1:5",
    "--set=seed=0:7",
    "--html",
    "--quiet",
];

fn start(out: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dynosim"))
        .args(["sweep", "--out", out.to_str().unwrap()])
        .args(LARGE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn large(out: &Path) {
    let output = dynosim(&[&["sweep", "--out", out.to_str().unwrap()], LARGE].concat());
    assert!(output.status.success(), "{}", stderr(&output));
}

fn stored(out: &Path) -> usize {
    fs::read_dir(out.join("points")).map_or(0, Iterator::count)
}

#[test]
fn kills_at_any_moment_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (calm, killed) = (folder.path().join("calm"), folder.path().join("killed"));
    large(&calm);
    let whole = files(&calm);
    assert_eq!(stored(&calm), 40);
    for until in [1, 8, 16] {
        let mut child = start(&killed);
        while stored(&killed) < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!killed.join("results.csv").exists(), "killed too late");
    }
    // As a kill in the middle of a write leaves it.
    fs::write(killed.join("points/.0123456789abcdef.json.9.part"), "{").unwrap();
    let kept = stored(&killed) - 1;
    assert!((16..40).contains(&kept), "{kept} points were kept");
    large(&killed);
    assert_eq!(files(&killed), whole);
}

#[test]
fn two_sweeps_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (calm, shared) = (folder.path().join("calm"), folder.path().join("shared"));
    large(&calm);
    let mut both = [start(&shared), start(&shared)];
    for child in &mut both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(files(&shared), files(&calm));
}

#[test]
fn a_folder_that_takes_no_files_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = sweep(&file, &["--set=num-workers=1,2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("error: cannot make the folder "));
    // Results can be written, reports cannot.
    fs::write(folder.path().join("points"), "").unwrap();
    let output = sweep(folder.path(), &["--set=num-workers=1,2"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("error: not everything is kept: "), "{said}");
    assert!(
        rows(folder.path())
            .iter()
            .all(|row| row["error"].is_string())
    );
}

#[test]
fn a_page_that_is_torn_or_older_than_its_report_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let paged = &["--set=num-workers=2", "--html"];
    assert!(sweep(folder.path(), paged).status.success());
    let whole = files(folder.path());
    let page = whole
        .keys()
        .find(|name| name.starts_with("pages/"))
        .unwrap();
    let report = page.replace("pages/", "points/").replace(".html", ".json");
    let (page_path, report_path) = (folder.path().join(page), folder.path().join(&report));
    fs::write(&page_path, &whole[page][..1000]).unwrap();
    assert!(sweep(folder.path(), paged).status.success());
    assert_eq!(files(folder.path()), whole);
    // The report of another version goes, and its page with it.
    let text = String::from_utf8(whole[&report].clone()).unwrap();
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(
        &report_path,
        text.replace(&version, "\"version\": \"0.0.1\""),
    )
    .unwrap();
    fs::write(&page_path, "of another version</html>\n").unwrap();
    assert!(
        sweep(folder.path(), &["--set=num-workers=2"])
            .status
            .success()
    );
    assert!(!page_path.exists());
    assert!(sweep(folder.path(), paged).status.success());
    assert_eq!(files(folder.path()), whole);
}

#[test]
fn whatever_decides_a_run_decides_whether_it_is_kept() {
    let row = |length: u64, number: u64| {
        json!({"timestamp": number * 500, "input_length": length, "output_length": 4,
            "hash_ids": [number]})
    };
    let write = |path: &str, length: u64| {
        let rows: Vec<String> = (0..40)
            .map(|number| row(length, number).to_string())
            .collect();
        fs::write(path, rows.join("\n")).unwrap();
    };
    let (_traces, trace) = trace_file(&[row(100, 0)]);
    let (_pasts, past) = trace_file(&[row(100, 0)]);
    let (_configs, config) = trace_file(&[]);
    let planner = |ttft_ms: u64| {
        let planner = json!({"mode": "agg", "optimization_target": "sla", "ttft_ms": ttft_ms,
            "throughput_adjustment_interval_seconds": 5, "load_adjustment_interval_seconds": 2,
            "load_predictor": "constant", "load_predictor_warmup_trace": past,
            "prefill_engine_num_gpu": 1, "decode_engine_num_gpu": 1});
        fs::write(&config, planner.to_string()).unwrap();
    };
    write(&trace, 300);
    write(&past, 200);
    planner(1000);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let flags = [
        "sweep",
        "--out",
        out,
        "--planner-config",
        &config,
        "--set=num-workers=1,2",
        &trace,
    ];
    let kept = || {
        let output = dynosim(&flags);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output).contains("2 runs were in")
    };
    assert!(!kept());
    assert!(kept());
    write(&trace, 301);
    assert!(!kept(), "the trace is another");
    assert!(kept());
    write(&past, 201);
    assert!(!kept(), "the planner's past is another");
    assert!(kept());
    planner(1001);
    assert!(!kept(), "the planner's targets are others");
    assert!(kept());
}

#[test]
fn a_bound_of_attainment_names_the_points_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let bound = [
        "--set=num-workers=1,8",
        "--sla-ttft-ms=40",
        "--fail-below-sla=0.9",
    ];
    let output = sweep(folder.path(), &bound);
    let said = stderr(&output);
    let share = |row: usize| {
        rows(folder.path())[row]["metrics"]["sla_attainment"]
            .as_f64()
            .unwrap()
    };
    let (low, high) = (share(0), share(1));
    assert!(low < 0.9 && high >= 0.9, "{low} {high}");
    assert_eq!(output.status.code(), Some(3), "{said}");
    let named = format!("at 1 of 2 points: point 0 {{\"num-workers\":1}}: {low:.4} < 0.9");
    assert!(said.contains(&named), "{said}");
    // The same without work, and for points alone.
    assert_eq!(sweep(folder.path(), &bound).status.code(), Some(3));
    let printed = sweep(folder.path(), &[&bound[..], &["--points"]].concat());
    let list = folder.path().join("points.jsonl");
    fs::write(&list, printed.stdout).unwrap();
    let run = |index: &str| {
        let (list, out) = (list.to_str().unwrap(), folder.path().to_str().unwrap());
        dynosim(&["run-point", list, "--out", out, "--index", index])
            .status
            .code()
    };
    assert_eq!((run("0"), run("1")), (Some(3), Some(0)));
    let met = [
        "--set=num-workers=8",
        "--sla-ttft-ms=40",
        "--fail-below-sla=0.9",
    ];
    assert_eq!(sweep(folder.path(), &met).status.code(), Some(0));
    let failing = [&["--set=num-workers=8,0"], &met[1..]].concat();
    let output = sweep(folder.path(), &failing);
    assert_eq!(output.status.code(), Some(3), "what fails reaches no bound");
    assert!(stderr(&output).contains("at 1 of 2 points: point 1 {\"num-workers\":0}: failed"));
    let aimless = dynosim(&[
        "replay",
        "--input-tokens=9",
        "--output-tokens=2",
        "--request-count=3",
        "--fail-below-sla=0.9",
    ]);
    assert_eq!(aimless.status.code(), Some(2));
    assert!(stderr(&aimless).contains("--fail-below-sla needs a target"));
}
