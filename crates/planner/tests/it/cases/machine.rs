//! Decisions of the state machine.

use planner::{
    Diagnostics, Effects, ObservedTraffic, Planner, ScheduledTick, TickInput, WorkerCounts,
    parse_config,
};
use serde_json::{Map, Value, json};

use sim_api::Pool;

use super::support::{Case, capabilities, cases, number, passes, whole, worker_passes};

pub(crate) fn diagnostics(of: &Diagnostics) -> Value {
    let load = |reason: Option<planner::LoadReason>| json!(reason.map(planner::LoadReason::name));
    let throughput = |reason: Option<planner::ThroughputReason>| {
        json!(reason.map(planner::ThroughputReason::name))
    };
    let all = [
        ("estimated_ttft_ms", json!(of.estimated_ttft_ms)),
        ("estimated_itl_ms", json!(of.estimated_itl_ms)),
        ("predicted_num_req", json!(of.predicted_num_req)),
        ("predicted_isl", json!(of.predicted_isl)),
        ("predicted_osl", json!(of.predicted_osl)),
        ("predicted_kv_hit_rate", json!(of.predicted_kv_hit_rate)),
        ("engine_rps_prefill", json!(of.engine_rps_prefill)),
        ("engine_rps_decode", json!(of.engine_rps_decode)),
        (
            "throughput_lower_bound_prefill",
            json!(of.lower_bound_prefill),
        ),
        (
            "throughput_lower_bound_decode",
            json!(of.lower_bound_decode),
        ),
        ("load_decision_reason", load(of.load)),
        ("load_decision_reason_prefill", load(of.load_prefill)),
        ("load_decision_reason_decode", load(of.load_decode)),
        ("throughput_decision_reason", throughput(of.throughput)),
        (
            "throughput_decision_reason_prefill",
            throughput(of.throughput_prefill),
        ),
        (
            "throughput_decision_reason_decode",
            throughput(of.throughput_decode),
        ),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        known
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>(),
    )
}

pub(super) fn planner_of(case: &Case) -> Planner {
    let config = parse_config(&case.inputs["config"], case.quirks)
        .expect("a config")
        .config;
    let mut planner = Planner::new(
        &config,
        capabilities(&case.inputs["capabilities"]),
        case.quirks,
        0.0,
    )
    .expect("a planner");
    let bench = &case.inputs["bench_fpms"];
    planner.learn(Pool::Prefill, passes(&bench["prefill_fpms"]));
    planner.learn(Pool::Decode, passes(&bench["decode_fpms"]));
    planner.learn(Pool::Decode, passes(&bench["agg_fpms"]));
    planner
}

fn traffic(value: &Value) -> Option<ObservedTraffic> {
    let field = |name: &str| number(&value[name]).unwrap_or(0.0);
    value.is_object().then(|| ObservedTraffic {
        duration_s: field("duration_s"),
        num_req: field("num_req"),
        isl: field("isl"),
        osl: field("osl"),
        kv_hit_rate: number(&value["kv_hit_rate"]),
        accept_length: number(&value["accept_length"]),
    })
}

fn run_tick(planner: &mut Planner, tick: &Value) -> Effects {
    let (prefill, decode) = (
        worker_passes(&tick["prefill"]),
        worker_passes(&tick["decode"]),
    );
    let workers = &tick["workers"];
    let count = |name: &str| whole(&workers[name]).map(|count| count as u32);
    let now_s = number(&tick["now_s"]).expect("a time");
    let scheduled = ScheduledTick {
        at_s: now_s,
        run_load: tick["load"]
            .as_bool()
            .unwrap_or(!prefill.is_empty() || !decode.is_empty()),
        run_throughput: tick["throughput"].as_bool().unwrap_or(false),
        ..planner.next_tick()
    };
    let input = TickInput {
        now_s,
        traffic: traffic(&tick["traffic"]),
        workers: workers.is_object().then(|| WorkerCounts {
            ready_prefill: count("ready_num_prefill"),
            ready_decode: count("ready_num_decode"),
            expected_prefill: count("expected_num_prefill"),
            expected_decode: count("expected_num_decode"),
        }),
        prefill: &prefill,
        decode: &decode,
    };
    planner.on_tick(&scheduled, &input)
}

#[test]
fn decisions() {
    let mut ticks = 0;
    for case in cases("state_machine") {
        let mut planner = planner_of(&case);
        let expected = case.expected.as_array().expect("effects");
        for (tick, expected) in case.inputs["ticks"]
            .as_array()
            .expect("ticks")
            .iter()
            .zip(expected)
        {
            let effects = run_tick(&mut planner, tick);
            let scale_to = effects.scale_to.map(
                |targets| json!({"num_prefill": targets.prefill, "num_decode": targets.decode}),
            );
            case.check(
                "diagnostics",
                &diagnostics(&effects.diagnostics),
                &expected["diagnostics"],
            );
            case.check("scale_to", &json!(scale_to), &expected["scale_to"]);
            ticks += 1;
        }
    }
    assert!(ticks >= 70);
}

#[test]
fn idle_windows_carry_the_last_shape() {
    for case in cases("load_predict_142") {
        let fields = json!({
            "mode": "agg", "optimization_target": "sla", "load_predictor": "constant",
            "throughput_adjustment_interval_seconds": 60,
        });
        let config = parse_config(&fields, case.quirks).expect("a config").config;
        let mut planner =
            Planner::new(&config, Default::default(), case.quirks, 0.0).expect("a planner");
        let got: Vec<Value> = case.inputs["sequence"]
            .as_array()
            .expect("windows")
            .iter()
            .map(|window| {
                let scheduled = ScheduledTick {
                    run_load: false,
                    run_throughput: true,
                    ..planner.next_tick()
                };
                let input = TickInput {
                    traffic: traffic(window),
                    ..Default::default()
                };
                let seen = planner.on_tick(&scheduled, &input).diagnostics;
                json!([
                    seen.predicted_num_req,
                    seen.predicted_isl,
                    seen.predicted_osl,
                    seen.predicted_kv_hit_rate
                ])
            })
            .collect();
        case.check("forecasts", &json!(got), &case.expected);
    }
}
