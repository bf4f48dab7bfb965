//! Reading and comparing cases.

use planner::{Capabilities, EngineCapabilities, Pass, WorkerPass};
use serde_json::Value;
use sim_api::{Quirks, WorkerId};

/// One case of the fixture.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) quirks: Quirks,
    pub(super) inputs: Value,
    pub(super) expected: Value,
    rel: f64,
    abs: f64,
}

/// The cases of `module`; at least one.
pub(super) fn cases(module: &str) -> Vec<Case> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../fixtures/planner_cases.json")).expect("fixture");
    let cases: Vec<Case> = all
        .into_iter()
        .filter(|case| case["module"] == module)
        .map(|case| Case {
            name: case["name"].as_str().expect("a name").to_owned(),
            quirks: if case["upstream_version"] == "1.2.1" {
                Quirks::ALL
            } else {
                Quirks::NONE
            },
            inputs: case["inputs"].clone(),
            expected: case["expected"].clone(),
            rel: case["tolerance"]["rel"].as_f64().expect("a tolerance"),
            abs: case["tolerance"]["abs"].as_f64().expect("a tolerance"),
        })
        .collect();
    assert!(!cases.is_empty(), "no case of {module}");
    cases
}

impl Case {
    /// Asserts that `got` is `expected`, numbers within the tolerance.
    pub(super) fn check(&self, what: &str, got: &Value, expected: &Value) {
        assert!(
            alike(got, expected, self.rel, self.abs),
            "{}: {what}: got {got}, expected {expected}",
            self.name
        );
    }
}

/// Equal JSON, but for rounding.
pub(crate) fn alike(got: &Value, expected: &Value, rel: f64, abs: f64) -> bool {
    match (got, expected) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("f64"), b.as_f64().expect("f64"));
            (a - b).abs() <= abs + rel * b.abs()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b, rel, abs))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b, rel, abs)))
        }
        _ => got == expected,
    }
}

/// A number, `"nan"` and `"inf"` included.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => Some(text.parse().expect("a number")),
        other => other.as_f64(),
    }
}

pub(super) fn whole(value: &Value) -> Option<u64> {
    number(value).map(|number| number as u64)
}

/// A pass in the shorthand of the fixture.
pub(super) fn pass(value: &Value) -> Pass {
    let field = |name: &str| whole(&value[name]).unwrap_or(0);
    Pass {
        wall_s: number(&value["wall_time"]).unwrap_or(0.01),
        num_prefill: field("num_prefill"),
        prefill_tokens: field("prefill_tokens"),
        num_decode: field("num_decode"),
        decode_kv_tokens: field("decode_kv"),
        queued_prefill_tokens: field("queued_prefill"),
        queued_decode_kv_tokens: field("queued_decode_kv"),
    }
}

pub(super) fn passes(value: &Value) -> Vec<Pass> {
    value
        .as_array()
        .map_or_else(Vec::new, |list| list.iter().map(pass).collect())
}

pub(super) fn worker_passes(value: &Value) -> Vec<WorkerPass> {
    let worker = |value: &Value| {
        let name = value["worker_id"]
            .as_str()
            .unwrap_or("w0")
            .trim_start_matches('w');
        WorkerId(name.parse().expect("a worker number"))
    };
    value.as_array().map_or_else(Vec::new, |list| {
        list.iter()
            .map(|value| WorkerPass {
                worker: worker(value),
                rank: whole(&value["dp_rank"]).unwrap_or(0) as u32,
                pass: pass(value),
            })
            .collect()
    })
}

pub(super) fn engine(value: &Value) -> EngineCapabilities {
    EngineCapabilities {
        num_gpu: whole(&value["num_gpu"]).map(|gpus| gpus as u32),
        max_batched_tokens: whole(&value["max_num_batched_tokens"]).map(|tokens| tokens as u32),
        max_sequences: whole(&value["max_num_seqs"]).map(|seats| seats as u32),
        context_length: whole(&value["context_length"]),
        max_kv_tokens: whole(&value["max_kv_tokens"]),
        draft_tokens: whole(&value["speculative_nextn"]).map(|depth| depth as u32),
    }
}

pub(super) fn capabilities(value: &Value) -> Capabilities {
    Capabilities {
        prefill: engine(&value["prefill"]),
        decode: engine(&value["decode"]),
    }
}
