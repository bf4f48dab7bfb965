//! Tests against figures of the reference: operation lists of whole models, and single operations.
//!
//! A sample is in `tests/fixtures`; all of it is read where it lies beside the workspace.

mod json_op;
mod op_lists;
mod single_ops;

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

/// The records of a fixture, one JSON value a line.
fn fixture(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A path in the full set of figures, if that is here.
fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/oracle/aic"
    ))
    .join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {}", path.display());
    None
}
