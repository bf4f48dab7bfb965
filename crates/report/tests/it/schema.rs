//! The published schema against real reports.

use report::{Collector, Summary};
use report::{CollectorOptions, JsonOptions, REPORT_SCHEMA, SlaTargets, report_json};
use serde_json::{Value, json};
use sim_api::{
    Compat, Dispatch, Observer, Overlap, Pool, RequestId, ScalingEvent, TickRecord, WorkerChange,
    WorkerId, WorkerProfile, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

use crate::stream::{Request, WORKER, arrival, profile, tell};

/// Checks `value` against the parts of JSON schema that ours uses.
fn check(schema: &Value, value: &Value, root: &Value, path: &str) {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointed = root.pointer(reference.trim_start_matches('#'));
        return check(pointed.unwrap(), value, root, path);
    }
    let right_type = match schema["type"].as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        other => panic!("unknown type {other}"),
    };
    assert!(right_type, "{path}: {value} is no {}", schema["type"]);
    for (bound, holds) in [
        ("minimum", f64::ge as fn(&f64, &f64) -> bool),
        ("maximum", f64::le),
    ] {
        if let Some(bound) = schema.get(bound).and_then(Value::as_f64) {
            assert!(holds(&value.as_f64().unwrap(), &bound), "{path}: {value}");
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, root, &format!("{path}[{index}]"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            value.get(required.as_str().unwrap()).is_some(),
            "{path}: no {required}"
        );
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        match property(schema, key) {
            Some(schema) => check(schema, item, root, &format!("{path}.{key}")),
            None => assert_eq!(
                schema["additionalProperties"], true,
                "{path}: unknown {key}"
            ),
        }
    }
}

fn property<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    let named = schema.get("properties").and_then(|all| all.get(key));
    named.or_else(|| {
        let patterns = schema.get("patternProperties")?.as_object()?;
        patterns
            .iter()
            .find(|(pattern, _)| matches(pattern, key))
            .map(|(_, schema)| schema)
    })
}

/// Patterns of the form `^(a|b)_(c|d)_e$`.
fn matches(pattern: &str, key: &str) -> bool {
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    match pattern.split_once('(') {
        None => pattern == key,
        Some((before, rest)) => {
            let (choices, after) = rest.split_once(')').unwrap();
            choices.split('|').any(|choice| {
                let tail = key
                    .strip_prefix(before)
                    .and_then(|key| key.strip_prefix(choice));
                tail.is_some_and(|tail| matches(after, tail))
            })
        }
    }
}

fn record(gpu_hours: f64) -> TickRecord {
    TickRecord {
        tick: 0,
        due: SimTime::ZERO,
        at: SimTime::ZERO,
        prefill_ready: None,
        decode_ready: 1,
        values: [("gpu_hours", gpu_hours)].into(),
        reasons: Default::default(),
        engines: Vec::new(),
        targets: None,
    }
}

/// Two prefill workers; a request that waits, and goes to one of them.
fn route(collector: &mut Collector) {
    // Without GPUs, so that the decode pool alone is charged.
    let profile = WorkerProfile {
        gpus: 0,
        ..profile()
    };
    collector.pool(Pool::Prefill, &profile);
    let worker = |id| WorkerRef {
        pool: Pool::Prefill,
        id: WorkerId(id),
    };
    for id in 0..2 {
        collector.worker(SimTime::ZERO, worker(id), WorkerChange::Ready);
    }
    collector.arrived(&arrival(1, 1, 10, 1));
    let sent = Dispatch {
        request: RequestId(1),
        worker: WorkerId(1),
        overlap: Some(Overlap {
            blocks: 1,
            best_blocks: 2,
            isl_blocks: 4,
        }),
    };
    collector.dispatched(SimTime::from_ns(3_000_001), Pool::Prefill, &sent);
}

fn planner_run(compat: Compat) -> Summary {
    let mut collector = Collector::new(CollectorOptions {
        quirks: compat.quirks(),
        sla: SlaTargets {
            ttft: Some(SimDuration::from_ns(9)),
            itl: Some(SimDuration::from_ns(9)),
            e2e: Some(SimDuration::from_ns(9)),
        },
    });
    collector.tick(&record(0.5));
    collector.scaled(&ScalingEvent {
        at: SimTime::from_ns(7),
        component: "agg",
        from: 1,
        to: 2,
        reason: "scale_up".to_owned(),
    });
    let request = Request {
        arrival: 0,
        admitted: 1,
        reused: 0,
        input_tokens: 10,
        tokens: vec![5, 9, 3_600_000_000_000],
    };
    tell(&[request], &mut collector);
    route(&mut collector);
    collector.worker(SimTime::from_ns(12), WORKER, WorkerChange::Draining);
    collector.summary()
}

#[test]
fn reports_agree_with_the_schema() {
    let schema: Value = serde_json::from_str(REPORT_SCHEMA).unwrap();
    let rich = JsonOptions {
        wall_time: Some(std::time::Duration::from_secs(1)),
        gpu_hour_price: Some(2.5),
        router_mode: Some("prefix_only".to_owned()),
        run: json!({"seed": 1}).as_object().unwrap().clone(),
    };
    for (summary, options) in [
        (Summary::default(), JsonOptions::default()),
        (planner_run(Compat::Default), rich),
    ] {
        let text = report_json(&summary, &options);
        let value: Value = serde_json::from_str(&text).unwrap();
        check(&schema, &value, &schema, "report");
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }
}

#[test]
fn every_property_of_the_schema_is_written_by_some_report() {
    let schema: Value = serde_json::from_str(REPORT_SCHEMA).unwrap();
    let options = JsonOptions {
        wall_time: Some(std::time::Duration::from_secs(1)),
        gpu_hour_price: Some(2.5),
        router_mode: Some("random".to_owned()),
        ..JsonOptions::default()
    };
    let report = report::report_value(&planner_run(Compat::Default), &options);
    for (within, schema) in [
        ("", &schema),
        ("/router", &schema["$defs"]["router"]),
        ("/router/pools/prefill", &schema["$defs"]["routed_pool"]),
        (
            "/router/pools/prefill/imbalance",
            &schema["$defs"]["imbalance"],
        ),
    ] {
        let value = report.pointer(within).unwrap();
        for key in schema["properties"].as_object().unwrap().keys() {
            assert!(value.get(key).is_some(), "{within}/{key}");
        }
    }
}

#[test]
fn gpu_hours_follow_the_runs_rule() {
    assert_eq!(planner_run(Compat::Default).gpu_hours, 1.0);
    let compat = planner_run(Compat::V1_2_1);
    assert_eq!(
        (compat.gpu_hours, compat.planner.unwrap().gpu_hours),
        (0.5, 0.5)
    );
}
