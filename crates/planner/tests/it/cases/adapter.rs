//! The simulation's side: caches, drained windows, bootstrap samples, records.

use planner::{
    BootstrapLimits, Pass, PassCache, PlannerPolicy, PlannerSetup, Prune, TrafficMeans,
    bootstrap_passes, merge_traffic, parse_config, replica_transitions,
};
use serde_json::{Value, json};
use sim_api::{
    Observation, PassRecord, PassRow, PoolObservation, Role, ScalingPolicy, Spread, Traffic,
    WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

use super::support::{Case, cases, number, passes, whole};

#[test]
fn caches() {
    for case in cases("replay.fpm_cache") {
        let mut cache = PassCache::default();
        let got: Vec<Vec<u32>> = case.inputs["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|step| {
                let ids = step["snapshot_worker_ids"].as_array().expect("ids");
                let seen = ids
                    .iter()
                    .map(|id| (WorkerId(whole(id).unwrap() as u32), Pass::default()));
                let count = whole(&step["active_count"]).unwrap() as usize;
                cache.update(seen, Prune::ToCount(count), |_| {});
                let mut ids: Vec<u32> = cache.passes().iter().map(|seen| seen.worker.0).collect();
                ids.sort_unstable();
                ids
            })
            .collect();
        case.check("workers", &json!(got), &case.expected);
    }
}

#[test]
fn a_draining_worker_keeps_nobody_out_of_a_cache_of_ready_workers() {
    let mut cache = PassCache::default();
    let pass = |worker: u32| (WorkerId(worker), Pass::default());
    let passes = [pass(0), pass(3), pass(0), pass(4)];
    let mut replaced = 0;
    let ready = [WorkerId(0), WorkerId(4)];
    cache.update(passes.into_iter(), Prune::ToReady(&ready), |_| {
        replaced += 1;
    });
    assert_eq!(replaced, 1);
    let ids: Vec<u32> = cache.passes().iter().map(|seen| seen.worker.0).collect();
    assert_eq!(ids, [0, 4]);
}

#[test]
fn merged_windows() {
    for case in cases("replay.merge_traffic") {
        let mut merged = Traffic::default();
        let mut shapes = 0;
        for window in case.inputs["windows"].as_array().expect("windows") {
            let field = |name: &str| number(&window[name]).unwrap_or(0.0);
            let count = |name: &str| whole(&window[name]).unwrap_or(0);
            shapes += count("shape_count");
            let ms =
                |name: &str, of: &str| SimDuration::try_from_ms(field(name) * field(of)).unwrap();
            merge_traffic(
                &mut merged,
                &Traffic {
                    duration: SimDuration::try_from_secs(field("duration_s")).unwrap(),
                    requests: count("num_req"),
                    input_tokens: (field("avg_isl") * field("shape_count")) as u64,
                    output_tokens: (field("avg_osl") * field("shape_count")) as u64,
                    ttft: (count("ttft_count"), ms("avg_ttft_ms", "ttft_count")),
                    itl_ms: (count("itl_count"), field("avg_itl_ms") * field("itl_count")),
                    hit_rate: (
                        count("hit_rate_count"),
                        field("avg_kv_hit_rate") * field("hit_rate_count"),
                    ),
                    decode_forwards: (
                        count("accept_length_forward_count"),
                        (field("avg_accept_length") * field("accept_length_forward_count")).round()
                            as u64,
                    ),
                },
            );
        }
        let means = TrafficMeans::of(&merged);
        let got = json!({
            "duration_s": means.duration_s,
            "num_req": means.num_req,
            "hit_rate_count": merged.hit_rate.0,
            "accept_length_forward_count": merged.decode_forwards.0,
            "shape_count": shapes,
            "ttft_count": merged.ttft.0,
            "itl_count": merged.itl_ms.0,
            "avg_isl": means.isl,
            "avg_osl": means.osl,
            "avg_ttft_ms": means.ttft_ms,
            "avg_itl_ms": means.itl_ms,
            "avg_kv_hit_rate": means.kv_hit_rate.unwrap_or(0.0),
            "avg_accept_length": means.accept_length,
        });
        case.check("window", &got, &case.expected);
    }
}

#[test]
fn bootstrap_samples() {
    for case in cases("replay.bootstrap") {
        let args = &case.inputs["engine_args"];
        let limit = |name: &str| whole(&args[name]).map(|limit| limit as u32);
        let limits = BootstrapLimits {
            max_batched_tokens: limit("max_num_batched_tokens"),
            max_sequences: limit("max_num_seqs"),
            kv_tokens: whole(&args["num_gpu_blocks"]).unwrap()
                * whole(&args["block_size"]).unwrap(),
        };
        let (mut prefill_calls, mut decode_calls) = (Vec::new(), Vec::new());
        let samples = bootstrap_passes(
            &limits,
            whole(&case.inputs["granularity"]).unwrap() as u32,
            |isl| {
                prefill_calls.push([1, isl, 0]);
                Ok::<_, ()>(1.0 + 0.02 * f64::from(isl))
            },
            |batch, context| {
                decode_calls.push([batch, context, 2]);
                Ok(4.0 + 0.01 * f64::from(batch))
            },
        )
        .expect("samples");
        let prefill: Vec<Value> = samples
            .prefill
            .iter()
            .map(|p| json!([p.prefill_tokens, p.wall_s]))
            .collect();
        let decode: Vec<Value> = samples
            .decode
            .iter()
            .map(|p| json!([p.num_decode, p.decode_kv_tokens, p.wall_s]))
            .collect();
        case.check(
            "prefill calls",
            &json!(prefill_calls),
            &case.expected["prefill_calls"],
        );
        case.check(
            "decode calls",
            &json!(decode_calls),
            &case.expected["decode_calls_batch_ctx_osl"],
        );
        case.check("prefill", &json!(prefill), &case.expected["prefill_points"]);
        case.check("decode", &json!(decode), &case.expected["decode_points"]);
    }
}

#[test]
fn transitions_and_rates() {
    for case in cases("diagnostics") {
        let ticks = case.inputs["ticks"].as_array().expect("ticks");
        let ready: Vec<Option<u32>> = ticks
            .iter()
            .map(|tick| whole(&tick["ready_num_decode"]).map(|count| count as u32))
            .collect();
        let transitions = replica_transitions(ready.iter().copied());
        case.check(
            "transitions",
            &json!(transitions),
            &case.expected["replica_transitions"],
        );

        // A throughput tick of constant traffic: observed and predicted requests over the configured interval.
        let interval = number(&case.inputs["throughput_interval_s"]).unwrap();
        let fields = json!({
            "mode": "agg", "optimization_target": "sla", "load_predictor": "constant",
            "throughput_adjustment_interval_seconds": interval, "load_adjustment_interval_seconds": interval,
        });
        let config = parse_config(&fields, case.quirks).expect("a config").config;
        let setup = PlannerSetup {
            prefill: None,
            decode: profile(&json!({"max_num_batched_tokens": 2048})),
            bootstrap: None,
            warm_up: Vec::new(),
        };
        let mut policy = PlannerPolicy::new(&config, &setup, case.quirks).expect("a policy");
        let mut rate = |requests: &str, name: &str| {
            let requests = number(&case.inputs[requests]).unwrap();
            let observation = Observation {
                now: policy.next_tick(),
                prefill: None,
                decode: PoolObservation::default(),
                // The window's own length is not what counts.
                traffic: Some(drained(&json!({"duration_s": 17.0, "num_req": requests}))),
            };
            policy
                .on_tick(&observation)
                .expect("a decision")
                .record
                .values[name]
        };
        let observed = rate("observed_num_req", "observed_rps");
        let predicted = rate("predicted_num_req", "predicted_rps");
        case.check(
            "observed",
            &json!(observed),
            &case.expected["observed_rps"][0],
        );
        case.check(
            "predicted",
            &json!(predicted),
            &case.expected["predicted_rps"][0],
        );
    }
}

fn profile(value: &Value) -> WorkerProfile {
    let field = |name: &str| whole(&value[name]).map(|limit| limit as u32);
    WorkerProfile {
        block_tokens: 1,
        blocks: field("max_kv_tokens").unwrap_or(0),
        max_batched_tokens: field("max_num_batched_tokens"),
        max_sequences: field("max_num_seqs"),
        role: Role::Aggregated,
        gpus: 1,
        draft_tokens: 0,
    }
}

fn spread(count: u64, sum: u64) -> Spread {
    // Only count and sum are read.
    Spread {
        count: count as u32,
        sum,
        sum_of_squares: 0,
    }
}

fn rows(snapshots: &Value) -> Vec<PassRow> {
    let Some(snapshots) = snapshots.as_array() else {
        return Vec::new();
    };
    let row = |(index, snapshot): (usize, &Value)| {
        let field = |name: &str| whole(&snapshot[name]).unwrap_or(0);
        PassRow {
            worker: WorkerId(field("worker_id") as u32),
            start: SimTime::from_ns(index as u64),
            duration: SimDuration::try_from_secs(number(&snapshot["wall_time"]).unwrap()).unwrap(),
            record: PassRecord {
                prefill_lengths: spread(field("num_prefill_requests"), 0),
                prefill_tokens: field("sum_prefill_tokens"),
                decode_contexts: spread(
                    field("num_decode_requests"),
                    field("sum_decode_kv_tokens"),
                ),
                queued_prefill: spread(
                    field("num_queued_prefill"),
                    field("sum_queued_prefill_tokens"),
                ),
                queued_decode: spread(
                    field("num_queued_decode"),
                    field("sum_queued_decode_kv_tokens"),
                ),
                ..PassRecord::default()
            },
        }
    };
    snapshots.iter().enumerate().map(row).collect()
}

fn pool(step: &Value, side: &str) -> PoolObservation {
    let active = whole(&step[format!("active_{side}_count")]).unwrap_or(0) as u32;
    PoolObservation {
        ready: (0..active).map(WorkerId).collect(),
        passes: rows(&step[format!("{side}_fpm_snapshots")]),
        ..PoolObservation::default()
    }
}

fn drained(window: &Value) -> Traffic {
    let field = |name: &str| number(&window[name]).unwrap_or(0.0);
    let requests = field("num_req");
    Traffic {
        duration: SimDuration::try_from_secs(field("duration_s")).unwrap(),
        requests: requests as u64,
        input_tokens: (field("avg_isl") * requests) as u64,
        output_tokens: (field("avg_osl") * requests) as u64,
        hit_rate: (10, field("avg_kv_hit_rate") * 10.0),
        ..Traffic::default()
    }
}

fn policy_of(case: &Case) -> PlannerPolicy {
    let config = parse_config(&case.inputs["config"], case.quirks)
        .expect("a config")
        .config;
    let bench = &case.inputs["bench_fpms"];
    let agg = passes(&bench["agg_fpms"]);
    let capabilities = &case.inputs["capabilities"];
    let setup = PlannerSetup {
        prefill: capabilities["prefill"]
            .is_object()
            .then(|| profile(&capabilities["prefill"])),
        decode: profile(&capabilities["decode"]),
        bootstrap: Some(planner::Bootstrap {
            prefill: passes(&bench["prefill_fpms"]),
            decode: if agg.is_empty() {
                passes(&bench["decode_fpms"])
            } else {
                agg
            },
        }),
        warm_up: Vec::new(),
    };
    PlannerPolicy::new(&config, &setup, case.quirks).expect("a policy")
}

#[test]
fn scripted_runs() {
    for case in cases("replay.adapter") {
        let mut policy = policy_of(&case);
        let disagg = case.inputs["config"]["mode"] == "disagg";
        let mut drains = case.inputs["traffic_drains"]
            .as_array()
            .expect("drains")
            .iter();
        let (mut asked, mut applied, mut events) = (Vec::new(), Vec::new(), Vec::new());
        let expected = case.expected["ticks"].as_array().expect("ticks");
        for (step, expected) in case.inputs["bridge_script"]
            .as_array()
            .expect("script")
            .iter()
            .zip(expected)
        {
            let due = policy.next_tick();
            asked.push(due.as_ms());
            let now = number(&step["now_ms"]).map_or(due, |ms| {
                SimTime::ZERO + SimDuration::try_from_ms(ms).unwrap()
            });
            let traffic = policy
                .needs()
                .traffic
                .then(|| drained(drains.next().expect("a window")));
            let observation = Observation {
                now,
                prefill: disagg.then(|| pool(step, "prefill")),
                decode: pool(step, "decode"),
                traffic,
            };
            let ready =
                |side: &str| whole(&step[format!("active_{side}_count")]).map(|count| count as u32);
            let workers = json!({
                "ready_num_prefill": ready("prefill").filter(|_| disagg),
                "ready_num_decode": ready("decode"),
                "expected_num_prefill": ready("prefill").filter(|_| disagg).map(|count| policy.expected(0, count)),
                "expected_num_decode": ready("decode").map(|count| policy.expected(1, count)),
            });
            let decision = policy.on_tick(&observation).expect("a decision");
            let record = &decision.record;
            let got = json!({
                "now_s": record.at.as_secs(),
                "gpu_hours": record.values["gpu_hours"],
                "workers": workers,
                "load_reason": record.reasons.get("load"),
                "thr_reason": record.reasons.get("throughput"),
                "scale_to": record.targets.map(|to| json!({"num_prefill": to.prefill, "num_decode": to.decode})),
                "lower_bound_d": record.values["lower_bound_decode"],
            });
            case.check("tick", &got, expected);
            applied.extend(
                decision
                    .targets
                    .map(|to| json!([to.prefill.unwrap_or(0), to.decode])),
            );
            events.extend(decision.events.iter().map(|event| {
                json!({
                    "at_s": event.at.as_secs(), "component": event.component, "reason": event.reason,
                    "from_count": event.from, "to_count": event.to,
                })
            }));
        }
        asked.push(policy.next_tick().as_ms());
        case.check("times", &json!(asked), &case.expected["advance_to_ms"]);
        case.check("applied", &json!(applied), &case.expected["applied"]);
        case.check("events", &json!(events), &case.expected["scaling_events"]);
    }
}
