//! Sweeps as a user runs them: points, the store, and what survives a kill.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{dynosim, stderr, stdout};

const LOAD: &[&str] = &[
    "--input-tokens=400",
    "--output-tokens=20",
    "--request-count=40",
    "--request-rate=30",
];

pub(crate) fn sweep(out: &Path, more: &[&str]) -> std::process::Output {
    let out = out.to_str().unwrap();
    dynosim(&[&["sweep", "--out", out], LOAD, more].concat())
}

/// All files below a folder by name, with their bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            for (below, bytes) in files(&entry.path()) {
                found.insert(format!("{name}/{below}"), bytes);
            }
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    // The page quotes the command, and with it the folder.
    found.remove("sweep.html");
    found
}

pub(crate) fn rows(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("results.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sets(out: &Path, path: &str) -> Vec<Value> {
    rows(out)
        .iter()
        .map(|row| row["set"][path].clone())
        .collect()
}

const GRID: &[&str] = &[
    "--set=num-workers=1:3",
    "--set=extra-engine-args.block_size=16,64",
];

#[test]
fn a_grid_runs_every_combination_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep(folder.path(), GRID);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(sets(folder.path(), "num-workers"), [1, 1, 2, 2, 3, 3]);
    assert_eq!(
        sets(folder.path(), "extra-engine-args.block_size"),
        [16, 64, 16, 64, 16, 64]
    );
    let csv = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.starts_with("point,num-workers,extra-engine-args.block_size,completed_requests,"));
    assert!(stdout(&output).contains("block_size"));
    for row in rows(folder.path()) {
        assert_eq!(row["metrics"]["completed_requests"], 40.0);
        let report = fs::read(folder.path().join(row["reports"][0].as_str().unwrap())).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["mean_ttft_ms"], row["metrics"]["mean_ttft_ms"]);
        assert!(report.get("wall_time_ms").is_none());
        let arguments = &report["run"]["arguments"];
        assert_eq!(arguments["num-workers"], row["set"]["num-workers"]);
    }
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    assert!(
        sweep(&one, &[GRID, &["--threads=1"]].concat())
            .status
            .success()
    );
    assert!(
        sweep(&two, &[GRID, &["--threads=2"]].concat())
            .status
            .success()
    );
    assert_eq!(files(&one), files(&two));
}

#[test]
fn pages_leave_the_reports_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, paged) = (folder.path().join("plain"), folder.path().join("paged"));
    assert!(sweep(&plain, GRID).status.success());
    // Pages that are missing are made, whatever reports there are.
    assert!(sweep(&paged, GRID).status.success());
    assert!(
        sweep(&paged, &[GRID, &["--html"]].concat())
            .status
            .success()
    );
    let (plain, paged) = (files(&plain), files(&paged));
    for (name, bytes) in plain.iter().filter(|(name, _)| name.starts_with("points/")) {
        assert_eq!(paged[name], *bytes, "{name}");
        let page = name.replace("points/", "pages/").replace(".json", ".html");
        let text = String::from_utf8_lossy(&paged[&page]);
        assert!(text.contains("dynosim replay --no-wall-clock"), "{page}");
    }
    let csv = String::from_utf8_lossy(&paged["results.csv"]);
    assert_eq!(csv.matches("pages/").count(), 6);
}

#[test]
fn a_killed_sweep_runs_only_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(sweep(folder.path(), GRID).status.success());
    let whole = files(folder.path());
    let points: Vec<&String> = whole
        .keys()
        .filter(|name| name.starts_with("points/"))
        .collect();
    assert_eq!(points.len(), 6);
    // A kill leaves some points out and no results; torn files cannot be, but
    // one that is must not be believed.
    for lost in [points[0], points[3], &"results.csv".to_owned()] {
        fs::remove_file(folder.path().join(lost)).unwrap();
    }
    let torn = folder.path().join(points[5]);
    fs::write(&torn, &whole[points[5]][..100]).unwrap();
    let kept = folder.path().join(points[1]);
    let before = fs::metadata(&kept).unwrap().modified().unwrap();
    let again = sweep(folder.path(), GRID);
    assert!(again.status.success(), "{}", stderr(&again));
    assert!(
        stderr(&again).contains("3 runs were in"),
        "{}",
        stderr(&again)
    );
    assert_eq!(files(folder.path()), whole);
    assert_eq!(fs::metadata(&kept).unwrap().modified().unwrap(), before);
}

#[test]
fn a_report_of_another_configuration_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        sweep(folder.path(), &["--set=num-workers=1,2"])
            .status
            .success()
    );
    let whole = files(folder.path());
    let point = whole
        .keys()
        .find(|name| name.starts_with("points/"))
        .unwrap();
    let text = String::from_utf8(whole[point].clone()).unwrap();
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    let old = text.replace(&version, "\"version\": \"0.0.1\"");
    fs::write(folder.path().join(point), old).unwrap();
    let again = sweep(folder.path(), &["--set=num-workers=1,2"]);
    assert!(
        stderr(&again).contains("1 runs were in"),
        "{}",
        stderr(&again)
    );
    assert_eq!(files(folder.path()), whole);
}

#[test]
fn points_run_elsewhere_are_the_sweeps_own() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    assert!(sweep(&here, GRID).status.success());
    let printed = sweep(&there, &[GRID, &["--points"]].concat());
    assert!(!there.exists(), "--points runs nothing");
    let list = folder.path().join("points.jsonl");
    fs::write(&list, &printed.stdout).unwrap();
    assert_eq!(stdout(&printed).lines().count(), 6);
    let list = list.to_str().unwrap();
    let run = |more: &[&str]| {
        dynosim(&[&["run-point", list, "--out", there.to_str().unwrap()], more].concat())
    };
    assert!(run(&["--index", "4"]).status.success());
    assert_eq!(fs::read_dir(there.join("points")).unwrap().count(), 1);
    assert!(run(&[]).status.success());
    let gathered = sweep(&there, GRID);
    assert!(stderr(&gathered).contains("6 runs were in"));
    assert_eq!(files(&here), files(&there));
    let beyond = run(&["--index", "6"]);
    assert_eq!(beyond.status.code(), Some(2));
    assert!(stderr(&beyond).contains("6 points"), "{}", stderr(&beyond));
}

#[test]
fn failed_points_are_named_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep(folder.path(), &["--set=num-workers=0,2"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("point 0 {\"num-workers\":0} failed"));
    let rows = rows(folder.path());
    assert!(
        rows[0]["error"]
            .as_str()
            .unwrap()
            .contains("num_workers >= 1")
    );
    assert!(rows[1]["error"].is_null());
    let all = sweep(folder.path(), &["--set=num-workers=0"]);
    assert_eq!(all.status.code(), Some(1));
    assert!(stderr(&all).contains("every point failed"));
}

#[test]
fn seeds_give_a_mean_with_its_interval() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep(folder.path(), &["--set=num-workers=1,2", "--seeds=4"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for row in rows(folder.path()) {
        let reports = row["reports"].as_array().unwrap();
        assert_eq!(reports.len(), 4);
        let values: Vec<f64> = reports
            .iter()
            .map(|name| {
                let text = fs::read(folder.path().join(name.as_str().unwrap())).unwrap();
                let report: Value = serde_json::from_slice(&text).unwrap();
                report["mean_e2e_latency_ms"].as_f64().unwrap()
            })
            .collect();
        let mean = values.iter().sum::<f64>() / 4.0;
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / 3.0;
        let near = |got: &Value, want: f64| (got.as_f64().unwrap() - want).abs() < 1e-9 * mean;
        assert!(variance > 0.0, "arrivals differ between seeds");
        assert!(near(&row["metrics"]["mean_e2e_latency_ms"], mean));
        // Student's t with three degrees of freedom.
        let half = 3.182 * (variance / 4.0).sqrt();
        assert!(near(&row["metrics"]["mean_e2e_latency_ms_ci95"], half));
    }
}

#[test]
fn specifications_mean_the_same_in_every_language() {
    let folder = tempfile::tempdir().unwrap();
    let json = r#"{"base": {"num-workers": 2, "extra-engine-args": {"block_size": 32}},
        "set": {"seed": [5, 6], "extra-engine-args.max_num_seqs": "4:8:4"}, "combine": "zip"}"#;
    let yaml = "base:\n  num-workers: 2\n  extra-engine-args: {block_size: 32}\n\
        set:\n  seed: [5, 6]\n  extra-engine-args.max_num_seqs: '4:8:4'\ncombine: zip\n";
    let toml = "combine = 'zip'\n[base]\nnum-workers = 2\nextra-engine-args = {block_size = 32}\n\
        [set]\nseed = [5, 6]\n'extra-engine-args.max_num_seqs' = '4:8:4'\n";
    let lines: Vec<String> = [("s.json", json), ("s.yaml", yaml), ("s.toml", toml)]
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            let output = sweep(folder.path(), &[path.to_str().unwrap(), "--points"]);
            assert!(output.status.success(), "{name}: {}", stderr(&output));
            stdout(&output)
        })
        .collect();
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[0], lines[2]);
    let points: Vec<Value> = lines[0]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(points.len(), 2);
    assert_eq!(points[1]["arguments"]["seed"], 6);
    let engine = &points[1]["arguments"]["extra-engine-args"];
    assert_eq!(
        *engine,
        serde_json::json!({"block_size": 32, "max_num_seqs": 8})
    );
}

#[test]
fn a_point_that_occurs_twice_runs_once_and_has_two_rows() {
    let folder = tempfile::tempdir().unwrap();
    let output = sweep(folder.path(), &["--set=num-workers=2,2,2,2", "--threads=2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let rows = rows(folder.path());
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["metrics"] == rows[0]["metrics"]));
    let points = fs::read_dir(folder.path().join("points")).unwrap().count();
    assert_eq!(points, 1);
}

#[test]
fn what_is_typed_stands_above_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.json");
    let spec = r#"{"base": {"seed": 9, "num-workers": 2, "request-count": 7}, "set": {"compat": "1.2.1"}}"#;
    fs::write(&path, spec).unwrap();
    let output = sweep(
        folder.path(),
        &[path.to_str().unwrap(), "--points", "--seed=0"],
    );
    let point: Value = serde_json::from_slice(&output.stdout).unwrap();
    let arguments = &point["arguments"];
    // Typed as its default, typed otherwise, not typed.
    assert_eq!(arguments["seed"], 0);
    assert_eq!(arguments["request-count"], 40);
    assert_eq!(arguments["num-workers"], 2);
    assert_eq!(arguments["compat"], "1.2.1");
}

#[test]
fn listed_points_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    fs::write(
        &path,
        r#"{"points": [{"num-workers": 1}, {"seed": 3, "num-workers": 4}, {}]}"#,
    )
    .unwrap();
    let output = sweep(folder.path(), &[path.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(rows(folder.path()).len(), 3);
    assert_eq!(
        sets(folder.path(), "num-workers"),
        [Value::from(1), 4.into(), Value::Null]
    );
}

#[test]
fn what_is_wrong_with_a_sweep_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, said) in [
        (&["--set=num-worker=1"][..], "did you mean \"num-workers\"?"),
        (&["--set=num-workers"], "expected PATH=VALUES"),
        (&["--set=num-workers=9:1:1"], "does not lead"),
        (&["--set=num-workers.deep=1"], "has no fields"),
        (
            &["--zip", "--set=num-workers=1,2", "--set=seed=1,2,3"],
            "equally many",
        ),
        (&["--seeds=0"], "--seeds must be at least 1"),
        (
            &["--set=seed=1:100000", "--set=arrival-seed=1:100000"],
            "more than 1000000 runs",
        ),
        (&["missing.yaml"], "cannot read missing.yaml"),
    ] {
        let output = sweep(folder.path(), flags);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{flags:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(said),
            "{flags:?}: {}",
            stderr(&output)
        );
    }
}
