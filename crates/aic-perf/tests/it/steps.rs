//! Whole steps, mixed steps, breakdowns and KV capacities of the reference.
//!
//! `tests/fixtures/steps.jsonl.gz` has a sample of every GPU, framework and model; all figures are read where they lie
//! beside the workspace.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aic_perf::table::PerfTables;
use aic_perf::{AicConfig, AicEngine, AicError, AttentionFormat, KvQuery, MixedStep, OpTime};
use serde_json::Value;

/// Largest relative difference: what packing the measurements costs.
const TOLERANCE: f64 = 1e-4;

#[test]
fn a_sample_of_steps() {
    check_fixture("steps.jsonl.gz", 6000);
}

/// Recorded from the reference for this crate: models, quantisations and group sizes that the figures above lack
/// (NVFP4, compressed tensors, partly quantised attention, Kimi, MiniMax; TensorRT-LLM on GB200), at random loads.
#[test]
fn steps_of_more_models() {
    check_fixture("more_steps.jsonl.gz", 1000);
}

fn check_fixture(name: &str, at_least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let mut checker = Checker::default();
    for line in text.lines() {
        checker.record(&serde_json::from_str(line).unwrap());
    }
    checker.finish(at_least);
}

#[test]
fn all_steps() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracle/aic");
    let Ok(entries) = std::fs::read_dir(dir) else {
        eprintln!("skipped: no {dir}");
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut checker = Checker::default();
    for path in paths.iter().filter(|path| path.extension().is_some()) {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            checker.record(&serde_json::from_str(line).unwrap());
        }
    }
    checker.finish(36_000);
}

#[derive(Default)]
struct Checker {
    tables: BTreeMap<String, Arc<PerfTables>>,
    checked: usize,
    largest: f64,
    wrong: Vec<String>,
}

impl Checker {
    fn record(&mut self, record: &Value) {
        let text = |field: &str| record[field].as_str().unwrap();
        let size = |field: &str| {
            record[field]
                .as_u64()
                .map(|size| u32::try_from(size).unwrap())
        };
        let mut config = AicConfig::new(text("system"), text("backend"), text("model"));
        config.tp = size("tp_size").unwrap_or(1);
        config.pp = size("pp_size").unwrap_or(1);
        config.attention_dp = size("attention_dp_size").unwrap_or(1);
        config.moe_tp = size("moe_tp_size");
        config.moe_ep = size("moe_ep_size");
        config.nextn = size("nextn").unwrap_or(0);
        config.bf16_attention_fallback = false;
        if record["fmha_quant_mode"] == "bfloat16" {
            config.formats.attention = Some(AttentionFormat::Bfloat16);
        }
        let pair = format!("{}__{}", config.system, config.backend);
        let tables = self
            .tables
            .entry(pair.clone())
            .or_insert_with(|| PerfTables::embedded(&config.system, &config.backend).unwrap());
        let engine = AicEngine::with_tables(&config, tables);
        let label = format!("{pair} {config:?}");
        if record["compile_err"].is_string() {
            self.checked += 1;
            if !matches!(engine, Err(AicError::Parallelism(_))) {
                self.wrong.push(label);
            }
            return;
        }
        let engine = engine.unwrap_or_else(|error| panic!("{label}: {error}"));
        self.steps(&engine, record, &label);
        self.breakdowns(&engine, record, &label);
        self.capacity(&engine, &record["kv"], &label);
    }

    fn steps(&mut self, engine: &AicEngine, record: &Value, label: &str) {
        for point in points(record, "prefill") {
            let [batch, isl, prefix] = sizes(point);
            let ours = engine.prefill_ms(batch, isl, prefix);
            self.compare(&ours, &point[3], &format!("{label} prefill {point}"));
        }
        for point in points(record, "decode") {
            let [batch, isl, osl] = sizes(point);
            let ours = engine.decode_ms(batch, isl, osl);
            self.compare(&ours, &point[3], &format!("{label} decode {point}"));
        }
        for point in points(record, "mixed") {
            let [prefill_tokens, decode_requests, isl, osl, prefix] = sizes(point);
            let ours = engine.mixed_ms(MixedStep {
                prefill_tokens,
                decode_requests,
                isl,
                osl,
                prefix,
            });
            let label = format!("{label} mixed {point}");
            let part = |part: fn(&aic_perf::MixedTime) -> f64| match &ours {
                Ok(time) => Ok(part(time)),
                Err(error) => Err(error.clone()),
            };
            let theirs = &point[5];
            let of = |index: usize| {
                if theirs.is_array() {
                    &theirs[index]
                } else {
                    theirs
                }
            };
            self.compare(&part(|time| time.total), of(0), &label);
            self.compare(&part(|time| time.shared), of(1), &label);
            self.compare(&part(|time| time.prefill_attention), of(2), &label);
            self.compare(&part(|time| time.decode_attention), of(3), &label);
        }
    }

    fn breakdowns(&mut self, engine: &AicEngine, record: &Value, label: &str) {
        for point in points(record, "prefill_per_op") {
            let [batch, isl, prefix] = sizes(point);
            let ours = engine.prefill_per_op(batch, isl, prefix);
            self.operations(ours, &point[3], &format!("{label} prefill_per_op {point}"));
        }
        for point in points(record, "decode_per_op") {
            let [batch, isl, osl] = sizes(point);
            assert_eq!(osl, 2);
            let ours = engine.decode_per_op(batch, isl);
            self.operations(ours, &point[3], &format!("{label} decode_per_op {point}"));
        }
    }

    fn operations(&mut self, ours: Result<Vec<OpTime>, AicError>, theirs: &Value, label: &str) {
        let Some(theirs) = theirs.as_array() else {
            return self.compare(&ours.map(|_| 0.0), theirs, label);
        };
        let Ok(ours) = ours else {
            return self.compare(&ours.map(|_| 0.0), &Value::Null, label);
        };
        assert_eq!(ours.len(), theirs.len(), "{label}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert_eq!(ours.name, theirs[0], "{label}");
            let label = format!("{label} {}", ours.name);
            self.compare(&Ok(ours.time.ms), &theirs[1], &label);
        }
    }

    fn capacity(&mut self, engine: &AicEngine, theirs: &Value, label: &str) {
        let query = |block_size| {
            engine.kv_capacity(KvQuery {
                block_size,
                ..KvQuery::default()
            })
        };
        self.checked += 1;
        let estimate = &theirs["est"];
        if estimate["err"].is_string() {
            if !matches!(query(16), Err(AicError::NoKvBudget { .. })) {
                self.wrong
                    .push(format!("{label} {theirs}: {:?}", query(16)));
            }
            return;
        }
        let parts = &estimate["memory_breakdown"];
        let number = |value: &Value| value.as_u64().unwrap();
        let agree = query(16).is_ok_and(|ours| {
            ours.tokens
                .abs_diff(number(&estimate["total_kv_size_tokens"]))
                <= 1
                && ours
                    .cache_bytes
                    .abs_diff(number(&estimate["total_kv_size_bytes"]))
                    <= 1
                && ours.weights_bytes == number(&parts["weights_bytes"])
                && ours.activations_bytes == number(&parts["activations_bytes"])
                && ours.runtime_bytes == number(&parts["runtime_overhead_bytes"])
                && ours.communication_bytes == number(&parts["comm_overhead_bytes"])
                && ours.blocks == number(&theirs["num_gpu_blocks_bs16"])
        }) && query(64)
            .is_ok_and(|ours| ours.blocks == number(&theirs["num_gpu_blocks_bs64"]));
        if !agree {
            self.wrong
                .push(format!("{label} {theirs}: {:?}", query(16)));
        }
    }

    fn compare(&mut self, ours: &Result<f64, AicError>, theirs: &Value, label: &str) {
        self.checked += 1;
        let agree = match (ours, theirs.as_f64()) {
            (Ok(ours), Some(theirs)) => {
                let difference = (ours - theirs).abs() / theirs.abs().max(1e-12);
                self.largest = self.largest.max(difference);
                difference <= TOLERANCE
            }
            (Err(_), None) => theirs["err"].is_string(),
            _ => false,
        };
        if !agree {
            self.wrong.push(format!("{label}: {ours:?}"));
        }
    }

    fn finish(self, at_least: usize) {
        eprintln!(
            "{} figures, largest relative difference {:.2e}",
            self.checked, self.largest
        );
        assert!(self.checked >= at_least, "only {} figures", self.checked);
        assert!(
            self.wrong.is_empty(),
            "{} of {} differ, such as\n{}",
            self.wrong.len(),
            self.checked,
            self.wrong
                .iter()
                .step_by(self.wrong.len() / 12 + 1)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

fn points<'a>(record: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    record[field].as_array().into_iter().flatten()
}

/// The leading numbers of a point.
fn sizes<const N: usize>(point: &Value) -> [u32; N] {
    std::array::from_fn(|index| u32::try_from(point[index].as_u64().unwrap()).unwrap())
}
