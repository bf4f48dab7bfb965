//! Single operations of random shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::json_op::op_kind;
use super::{fixture, shared};
use crate::backend::Backend;
use crate::error::AicError;
use crate::hw::GpuSpec;
use crate::interp::Timed;
use crate::oplist::NamedOp;
use crate::ops::{Binder, Call};
use crate::table::PerfTables;

/// Largest relative difference: what packing the measurements costs.
const TOLERANCE: f64 = 1e-4;

#[test]
fn a_sample_of_single_operations() {
    let mut checker = Checker::default();
    for record in fixture("ops.jsonl.gz") {
        let pair = record["pair"].as_str().unwrap().to_owned();
        checker.check(&pair, &record);
    }
    checker.finish(1500);
}

#[test]
fn all_single_operations() {
    let Some(dir) = shared("ops") else {
        return;
    };
    let mut checker = Checker::default();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let pair = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            checker.check(&pair, &serde_json::from_str(line).unwrap());
        }
    }
    checker.finish(5000);
}

#[derive(Default)]
struct Checker {
    tables: BTreeMap<String, Arc<PerfTables>>,
    checked: usize,
    wrong: Vec<String>,
}

impl Checker {
    fn check(&mut self, pair: &str, record: &Value) {
        let (sku, backend) = pair.split_once("__").unwrap();
        let tables = self
            .tables
            .entry(pair.to_owned())
            .or_insert_with(|| PerfTables::embedded(sku, backend).unwrap());
        let binder = Binder {
            gpu: GpuSpec::find(sku).unwrap(),
            backend: backend.parse::<Backend>().unwrap(),
            tables,
        };
        let kind = record["kind"].as_str().unwrap();
        let call = call(kind, &record["call"]);
        let ours = if kind == "Nccl" {
            nccl(&binder, &record["op"], call.tokens)
        } else {
            let op = NamedOp::new("op", 1.0, op_kind(kind, &record["op"]));
            binder.bind(&op).at(call)
        };
        self.checked += 1;
        let agree = match (&ours, record["ms"].as_f64(), record["err"].as_str()) {
            (Ok(ours), Some(theirs), _) => (ours.ms - theirs).abs() <= TOLERANCE * theirs.abs(),
            (Err(ours), None, Some(theirs)) => same_error(ours, theirs),
            _ => false,
        };
        if !agree {
            let ours = ours.map(|time| time.ms).map_err(|error| error.to_string());
            self.wrong.push(format!("{pair}: {ours:?} for {record}"));
        }
    }

    fn finish(self, at_least: usize) {
        assert!(self.checked >= at_least, "only {} records", self.checked);
        assert!(
            self.wrong.is_empty(),
            "{} of {} differ, such as\n{}",
            self.wrong.len(),
            self.checked,
            self.wrong
                .iter()
                .take(20)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

/// A collective by itself, which models use as a part of their dispatch only.
fn nccl(binder: &Binder<'_>, op: &Value, tokens: f64) -> Result<Timed, AicError> {
    let name = op["operation"].as_str().unwrap().to_owned();
    let gpus = u32::try_from(op["num_gpus"].as_u64().unwrap()).unwrap();
    let width = op["hidden_size"].as_f64().unwrap();
    binder
        .nccl(Box::leak(name.into_boxed_str()), gpus, width)?
        .at(tokens)
}

fn call(kind: &str, json: &Value) -> Call {
    let number = |field: &str| json[field].as_f64().unwrap();
    let tokens = if kind == "MlaBmm" { "batch" } else { "x" };
    Call {
        batch: number("batch"),
        length: number("s"),
        prefix: number("prefix"),
        tokens: number(tokens),
    }
}

fn same_error(ours: &AicError, theirs: &str) -> bool {
    match ours {
        AicError::MissingSystemFlops { .. } => theirs.contains("MissingSystemFlops"),
        AicError::MissingPerfData { .. } => theirs.contains("PerfDataNotAvailable"),
        _ => false,
    }
}
