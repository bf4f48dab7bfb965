//! Fixtures, and the small steps every test shares.

use std::io::Read;
use std::path::{Path, PathBuf};

use dynosim::{Extras, Failure, Plan};
use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

const MOCKER_CASES: &[u8] = include_bytes!("../fixtures/mocker_cases.json.gz");
const ORACLE_RUNS: &[u8] = include_bytes!("../fixtures/oracle_runs.json.gz");

fn inflate(bytes: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Small runs with the reference's reports.
pub(crate) fn mocker_cases() -> Value {
    inflate(MOCKER_CASES)
}

/// Runs of the reference on real traces.
pub(crate) fn oracle_runs() -> Vec<Value> {
    match inflate(ORACLE_RUNS) {
        Value::Array(runs) => runs,
        other => panic!("expected runs, got {other}"),
    }
}

/// A trace of the shared collection, if it is there.
pub(crate) fn shared_trace(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = here.join("../../../shared/traces").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: the trace {name} is not here");
    None
}

/// A folder with a trace file of these rows.
pub(crate) fn trace_file(rows: &[Value]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.jsonl");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// `--flag value` for every entry of an object of options.
pub(crate) fn option_flags(options: &Value) -> Vec<String> {
    let mut flags = Vec::new();
    for (name, value) in options.as_object().into_iter().flatten() {
        flags.push(format!("--{}", name.replace('_', "-")));
        flags.push(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    }
    flags
}

/// Runs flags and gives the JSON report.
pub(crate) fn report(flags: &[String]) -> Result<Value, Failure> {
    let plan = Plan::from_flags(flags.iter().map(String::as_str))?;
    let finished = plan.run(Extras::default())?;
    Ok(plan.report(&finished))
}
