//! The reference's cases of router configurations.

mod concurrent;
mod hash;
mod index;
mod naive_index;
mod policies;
mod replay;
mod select;
mod sequences;

use kv_router::RouterConfig;
use serde_json::Value;
use sim_api::Quirks;

const CONFIG_CASES: &str = include_str!("../fixtures/config_cases.json");

#[test]
fn configurations_are_read_or_refused_as_in_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(CONFIG_CASES).unwrap();
    assert_eq!(cases.len(), 21);
    for case in &cases {
        let name = &case["name"];
        let read = RouterConfig::from_value(&case["config"], Quirks::ALL);
        let expected = &case["expected"];
        if let Some(error) = expected["error"].as_str() {
            let ours = read.expect_err(name.as_str().unwrap()).to_string();
            // The field, or the first field of a rule, or the words to choose from.
            let named = error
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .find(|word| word.contains('_') && !word.starts_with("__"))
                .unwrap_or("fcfs");
            assert!(ours.contains(named), "{name}: {ours}\nexpected {error}");
            continue;
        }
        let config = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = &expected["ok"];
        // What the reference derives for its live parts is not ours.
        let live = ["should_subscribe_to_kv_events", "recheck_ms"];
        for (field, value) in expected.as_object().unwrap() {
            let ours = match field.as_str() {
                "overlap_score_credit" => Value::from(config.overlap_score_credit),
                "prefill_load_scale" => Value::from(config.prefill_load_scale),
                "router_queue_threshold" => Value::from(config.queue_threshold),
                live_field if live.contains(&live_field) => continue,
                other => panic!("{name}: {other} is not compared"),
            };
            assert_eq!(ours, *value, "{name}: {field}");
        }
    }
}
