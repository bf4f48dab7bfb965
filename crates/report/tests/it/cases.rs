//! Reports of the reference, from the token times of its requests.

use std::time::Duration;

use report::{CollectorOptions, JsonOptions, report_value, table};
use serde::Deserialize;
use serde_json::{Map, Value};
use sim_api::Compat;
use sim_core::SimDuration;

use crate::stream::{Request, summary};

#[derive(Deserialize)]
struct Fixture {
    table: String,
    table_case: String,
    table_wall_ms: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    report: Map<String, Value>,
    /// Arrival, first admission (ms), reused tokens, prompt tokens, token times (ms).
    requests: Vec<(f64, f64, u32, u32, Vec<f64>)>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/reports.json")).unwrap()
}

fn ns(ms: f64) -> u64 {
    SimDuration::try_from_ms(ms).unwrap().as_ns()
}

impl Case {
    fn summary(&self) -> report::Summary {
        let requests: Vec<Request> = self
            .requests
            .iter()
            .map(
                |(arrival, admitted, reused, input_tokens, tokens)| Request {
                    arrival: ns(*arrival),
                    admitted: ns(*admitted),
                    reused: *reused,
                    input_tokens: *input_tokens,
                    tokens: tokens.iter().map(|&ms| ns(ms)).collect(),
                },
            )
            .collect();
        let quirks = Compat::V1_2_1.quirks();
        let options = CollectorOptions {
            quirks,
            ..CollectorOptions::default()
        };
        summary(&requests, options)
    }
}

/// Times are whole nanoseconds here and floating-point milliseconds there.
fn close(key: &str, ours: f64, theirs: f64) -> bool {
    let absolute = if key.ends_with("_ms") { 2e-6 } else { 1e-9 };
    (ours - theirs).abs() <= absolute + 1e-9 * theirs.abs()
}

#[test]
fn every_key_of_the_reference_is_met() {
    let cases = fixture().cases;
    assert!(cases.len() > 50);
    for case in &cases {
        let ours = report_value(&case.summary(), &JsonOptions::default());
        for (key, theirs) in &case.report {
            let value = ours.get(key).and_then(Value::as_f64);
            let value = value.unwrap_or_else(|| panic!("{}: no {key}", case.name));
            let theirs = theirs.as_f64().unwrap();
            assert!(
                close(key, value, theirs),
                "{} {key}: {value}, not {theirs}",
                case.name
            );
        }
    }
}

#[test]
fn the_table_is_the_references_to_the_character() {
    let fixture = fixture();
    let case = fixture
        .cases
        .iter()
        .find(|case| case.name == fixture.table_case);
    let wall_time = Duration::from_secs_f64(fixture.table_wall_ms / 1e3);
    let text = table(&case.unwrap().summary(), Some(wall_time));
    assert_eq!(text.trim_end(), fixture.table.trim_end());
}

#[test]
fn wall_clock_keys_appear_only_when_asked_for() {
    let case = &fixture().cases[0];
    let keys = [
        "wall_time_ms",
        "processed_tokens_per_s",
        "processed_output_tokens_per_s",
    ];
    let mut options = JsonOptions::default();
    let without = report_value(&case.summary(), &options);
    options.wall_time = Some(Duration::from_millis(500));
    let with = report_value(&case.summary(), &options);
    for key in keys {
        assert!(
            without.get(key).is_none() && with.get(key).is_some(),
            "{key}"
        );
    }
    assert_eq!(with["wall_time_ms"], 500.0);
}
