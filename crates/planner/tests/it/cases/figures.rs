//! Small figures: averages, budgets, sweeps, accept lengths, schedules.

use std::num::NonZeroU32;

use planner::{
    AcceptLength, Budget, Capabilities, DecodeModel, EmptyWindows, EngineCapabilities,
    EngineParallelism, LinearSettings, MovingAverage, Planner, TickInput, TraceRow, clamp_hit_rate,
    concurrency_sweep, floor_tolerance, parse_config, traffic_windows,
};
use serde_json::{Value, json};
use sim_api::Quirk;

use super::support::{cases, number, passes, whole};

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn integers(row: &Value) -> Vec<i64> {
    list(row)
        .iter()
        .map(|value| value.as_i64().expect("an integer"))
        .collect()
}

#[test]
fn moving_averages_and_hit_rates() {
    for case in cases("moving_average") {
        let mut average = MovingAverage::new(whole(&case.inputs["window"]).unwrap() as usize);
        let got: Vec<f64> = list(&case.inputs["values"])
            .iter()
            .map(|value| {
                average.add(number(value).unwrap());
                average.value()
            })
            .collect();
        case.check("values", &json!(got), &case.expected);
    }
    for case in cases("kv_hit_rate_clamp") {
        let got: Vec<f64> = list(&case.inputs["values"])
            .iter()
            .map(|value| clamp_hit_rate(number(value)))
            .collect();
        case.check("rates", &json!(got), &case.expected);
    }
}

#[test]
fn budgets() {
    for case in cases("budget.tolerance") {
        let got: Vec<i64> = list(&case.inputs["inputs"])
            .iter()
            .map(|row| floor_tolerance(&integers(row)))
            .collect();
        case.check("tolerance", &json!(got), &case.expected);
    }
    for case in cases("budget.bounds") {
        let got: Vec<Value> = list(&case.inputs["rows"])
            .iter()
            .map(|row| {
                let row = integers(row);
                let budget = Budget {
                    min_gpus: row[1],
                    max_gpus: row[2],
                    min_endpoint: 1,
                };
                let checked = budget.check(row[0], row[3]);
                json!([
                    checked.is_ok(),
                    checked
                        .err()
                        .map_or(String::new(), |error| error.to_string())
                ])
            })
            .collect();
        case.check("bounds", &json!(got), &case.expected);
    }
    for case in cases("budget.clamp_single") {
        let got: Vec<u32> = list(&case.inputs["rows"])
            .iter()
            .map(|row| {
                let row = integers(row);
                let budget = Budget {
                    min_gpus: row[2],
                    max_gpus: row[3],
                    min_endpoint: row[4] as u32,
                };
                budget.clamp_one(row[0] as u32, row[1] as u32)
            })
            .collect();
        case.check("single", &json!(got), &case.expected);
    }
    for case in cases("budget.clamp_pair") {
        let got: Vec<[u32; 2]> = list(&case.inputs["rows"])
            .iter()
            .map(|row| {
                let row = integers(row);
                let budget = Budget {
                    min_gpus: row[4],
                    max_gpus: row[5],
                    min_endpoint: row[6] as u32,
                };
                budget.clamp_pair(
                    [row[0] as u32, row[1] as u32],
                    [row[2] as u32, row[3] as u32],
                )
            })
            .collect();
        case.check("pair", &json!(got), &case.expected);
    }
}

#[test]
fn sweeps_and_parallelism() {
    for case in cases("aic.concurrency_sweep") {
        let got: Vec<Vec<u32>> = list(&case.inputs["rows"])
            .iter()
            .map(|row| concurrency_sweep(integers(row)[0] as u32, integers(row)[1] as u32))
            .collect();
        case.check("sizes", &json!(got), &case.expected);
    }
    for case in cases("parallelization") {
        let got: Vec<Value> = list(&case.inputs)
            .iter()
            .map(|pick| {
                let ranks = |name: &str| whole(&pick[name]).unwrap_or(1) as u32;
                let engine = EngineParallelism {
                    tp: ranks("tp"),
                    pp: ranks("pp"),
                    dp: ranks("dp"),
                    moe_tp: ranks("moe_tp"),
                    moe_ep: ranks("moe_ep"),
                };
                json!({"num_gpus": engine.gpus(), "tp_size": engine.tensor_parallel(), "label": engine.label()})
            })
            .collect();
        case.check("engines", &json!(got), &case.expected);
    }
}

fn with_depth(depth: &Value) -> EngineCapabilities {
    EngineCapabilities {
        draft_tokens: whole(depth).map(|depth| depth as u32),
        ..Default::default()
    }
}

#[test]
fn accept_lengths() {
    for case in cases("mtp.clamp") {
        let got: Vec<Value> = list(&case.inputs)
            .iter()
            .map(|row| {
                let configured = whole(&row["config_nextn"]).unwrap_or(0) as u32;
                let accept = AcceptLength::new(&with_depth(&row["caps_nextn"]), configured);
                let clamped = accept.clamp(number(&row["accept_length"]));
                json!({"clamped": clamped, "effective_nextn": accept.draft_tokens()})
            })
            .collect();
        case.check("clamped", &json!(got), &case.expected);
    }
    for case in cases("mtp.sticky") {
        let mut accept = AcceptLength::new(&with_depth(&case.inputs["caps_nextn"]), 0);
        let got: Vec<f64> = if let Some(sequence) = case.inputs["sequence"].as_array() {
            let mut seen = |value: &Value| {
                accept.observe(number(value));
                accept.effective()
            };
            sequence.iter().map(&mut seen).collect()
        } else {
            accept.observe(number(&case.inputs["accept_length"]));
            let before = accept.effective();
            accept.set_engines(&with_depth(&case.inputs["new_caps_nextn"]), 0);
            vec![before, accept.effective()]
        };
        case.check("sequence", &json!(got), &case.expected);
    }
    for case in cases("mtp.load_itl") {
        let mut model = DecodeModel::new(&LinearSettings::default());
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        let sla = number(&case.inputs["sla_itl_ms"]).unwrap();
        let got: Vec<Value> = list(&case.inputs["rows"])
            .iter()
            .map(|row| {
                let itl_s = model
                    .itl_s(number(&row["sched_kv"]).unwrap(), 0.0)
                    .expect("fitted");
                let effective = 1000.0 * itl_s / number(&row["accept_length"]).unwrap();
                json!({"effective_itl_ms": effective, "above_20ms_sla": effective > sla})
            })
            .collect();
        case.check("itl", &json!(got), &case.expected);
    }
}

#[test]
fn trace_windows() {
    for case in cases("trace_data") {
        let rows = list(&case.inputs["rows"]).iter().map(|row| TraceRow {
            timestamp_ms: number(&row["timestamp"]).unwrap(),
            input_tokens: whole(&row["input_length"]).unwrap(),
            output_tokens: whole(&row["output_length"]).unwrap(),
        });
        let seconds = NonZeroU32::new(whole(&case.inputs["interval_s"]).unwrap() as u32).unwrap();
        let empty = if case.quirks.has(Quirk::IdleTrafficFeedsZero) {
            EmptyWindows::Omit
        } else {
            EmptyWindows::Keep
        };
        let got: Vec<Value> = traffic_windows(rows, seconds, empty)
            .expect("windows")
            .iter()
            .map(|window| {
                json!({
                    "interval_start": window.start_s,
                    "request_count": window.requests,
                    "avg_isl": window.mean_isl,
                    "avg_osl": window.mean_osl,
                })
            })
            .collect();
        case.check("windows", &json!(got), &case.expected);
    }
}

#[test]
fn schedules() {
    for case in cases("tick_schedule") {
        let config = parse_config(&case.inputs["config"], case.quirks)
            .expect("a config")
            .config;
        let start = number(&case.inputs["start_s"]).unwrap();
        let mut planner =
            Planner::new(&config, Capabilities::default(), case.quirks, start).expect("a planner");
        let mut tick = planner.next_tick();
        let mut got = Vec::new();
        let mut note = |tick: &planner::ScheduledTick| {
            got.push(json!({
                "at_s": tick.at_s,
                "run_load_scaling": tick.run_load,
                "run_throughput_scaling": tick.run_throughput,
                "need_traffic_metrics": tick.need_traffic,
                "traffic_metrics_duration_s": tick.traffic_duration_s,
                "need_worker_states": tick.need_worker_states,
                "need_worker_fpm": tick.need_passes,
            }));
        };
        note(&tick);
        for now in list(&case.inputs["now_s_per_tick"]) {
            let now_s = now.as_f64().unwrap_or(tick.at_s);
            tick = planner
                .on_tick(
                    &tick,
                    &TickInput {
                        now_s,
                        ..Default::default()
                    },
                )
                .next_tick;
            note(&tick);
        }
        case.check("ticks", &json!(got), &case.expected);
    }
}
