//! Step-driven runs of the reference: workers added and removed at given
//! instants, with every pass that the planner would have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aic_perf::PolynomialModel;
use kv_router::RoundRobin;
use mocker::{Factory, ParsedArgs, PoolEngines};
use replay::{Deployment, KvTransfer, Parts, PoolSpec, RunSpec, Simulation};
use serde_json::Value;
use sim_api::{
    Decision, Observation, Observer, PassRow, Quirks, Role, ScalingError, ScalingPolicy, Targets,
    TickNeeds, TickRecord,
};
use sim_core::{SimDuration, SimTime};
use trace::{Load, Pacing, Trace, TraceOptions, Window, WorkloadSpec};

use crate::fixtures::{mocker_cases, report, trace_file};

/// Asks for given targets at given instants and keeps what it saw.
struct Script {
    steps: std::collections::VecDeque<(SimTime, Option<u32>)>,
    seen: Arc<Mutex<Vec<Observation>>>,
}

impl ScalingPolicy for Script {
    fn next_tick(&self) -> SimTime {
        self.steps.front().map_or(SimTime::MAX, |&(at, _)| at)
    }

    fn needs(&self) -> TickNeeds {
        TickNeeds { traffic: false }
    }

    fn on_tick(&mut self, observation: &Observation) -> Result<Decision, ScalingError> {
        self.seen.lock().unwrap().push(observation.clone());
        let (due, target) = self.steps.pop_front().unwrap();
        let targets = target.map(|decode| Targets {
            prefill: None,
            decode: Some(decode),
        });
        Ok(Decision {
            targets,
            events: Vec::new(),
            record: TickRecord {
                tick: 0,
                due,
                at: observation.now,
                prefill_ready: None,
                decode_ready: 0,
                values: BTreeMap::new(),
                reasons: BTreeMap::new(),
                engines: Vec::new(),
                targets,
            },
        })
    }
}

struct Nobody;

impl Observer for Nobody {}

fn steps(log: &[Value]) -> Vec<(SimTime, Option<u32>, &Value)> {
    let mut steps = Vec::new();
    for (index, entry) in log.iter().enumerate() {
        if entry[0] != "advance_to" {
            continue;
        }
        let at = SimDuration::try_from_ms(entry[1].as_f64().unwrap()).unwrap();
        let target = log
            .get(index + 1)
            .filter(|next| next[0] == "apply_scaling")
            .map(|next| u32::try_from(next[2].as_u64().unwrap()).unwrap());
        steps.push((SimTime::ZERO + at, target, &entry[2]));
    }
    steps
}

fn run(case: &Value, script: Script) {
    let quirks = Quirks::ALL;
    let config = ParsedArgs::from_value(&case["engine_args"], quirks)
        .unwrap()
        .config;
    let engines = PoolEngines {
        scheduler: config.scheduler(Role::Aggregated, config.blocks.unwrap(), quirks),
        gpus: 1,
        model: Arc::new(|| Box::new(PolynomialModel)),
    };
    let rows: Vec<String> = case["trace_rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let options = TraceOptions {
        block_size: 4,
        ..TraceOptions::default()
    };
    let trace = Trace::from_bytes("case", rows.join("\n"), &options).unwrap();
    let workload = WorkloadSpec {
        load: Load::Trace(Arc::new(trace)),
        pacing: Pacing::Arrivals { speedup: 1.0 },
        window: Window::default(),
        engine_block_size: config.block_tokens,
        quirks,
    };
    let spec = RunSpec {
        deployment: Deployment {
            prefill: None,
            decode: PoolSpec {
                workers: 1,
                startup: config.startup,
            },
            transfer: KvTransfer::free(),
        },
        concurrency: None,
        quirks,
        kv_event_lag: SimDuration::ZERO,
        load_sampling: None,
    };
    let parts = Parts {
        workload: workload.build().unwrap(),
        engines: &Factory::aggregated(engines),
        prefill_router: None,
        decode_router: Box::new(RoundRobin::new()),
        policy: Some(Box::new(script)),
        observer: &mut Nobody,
    };
    Simulation::new(spec, parts).run().unwrap();
}

/// A pass in the words of the log.
fn same_pass(row: &PassRow, want: &Value) -> bool {
    let close = |got: f64, key: &str| (got - want[key].as_f64().unwrap()).abs() < 1e-9;
    let record = &row.record;
    close(f64::from(row.worker.0), "worker_id")
        && close(row.duration.as_secs(), "wall_time")
        && close(
            f64::from(record.prefill_lengths.count),
            "num_prefill_requests",
        )
        && close(record.prefill_tokens as f64, "sum_prefill_tokens")
        && close(record.prefill_lengths.variance(), "var_prefill_length")
        && close(record.prefill_kv_tokens as f64, "sum_prefill_kv_tokens")
        && close(
            f64::from(record.decode_contexts.count),
            "num_decode_requests",
        )
        && close(record.decode_contexts.sum as f64, "sum_decode_kv_tokens")
        && close(record.decode_contexts.variance(), "var_decode_kv_tokens")
        && close(f64::from(record.queued_prefill.count), "num_queued_prefill")
        && close(
            record.queued_prefill.sum as f64,
            "sum_queued_prefill_tokens",
        )
        && close(f64::from(record.queued_decode.count), "num_queued_decode")
        && close(
            record.queued_decode.sum as f64,
            "sum_queued_decode_kv_tokens",
        )
}

#[test]
fn workers_come_and_go_as_in_the_reference() {
    let cases = mocker_cases();
    let scaling = |case: &&Value| case["name"].as_str().unwrap().starts_with("p_scaling");
    let mut checked = 0;
    for case in cases["cases"].as_array().unwrap().iter().filter(scaling) {
        let name = &case["name"];
        let log = case["expected_log"].as_array().unwrap();
        let steps = steps(log);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Script {
            steps: steps.iter().map(|&(at, target, _)| (at, target)).collect(),
            seen: Arc::clone(&seen),
        };
        run(case, script);
        let seen = seen.lock().unwrap();
        // The last step finds the run over, so its tick is not executed.
        let live = steps.iter().filter(|(_, _, want)| want["is_done"] == false);
        assert_eq!(seen.len(), live.clone().count(), "{name}");
        for (observed, (at, _, want)) in seen.iter().zip(live) {
            let context = format!("{name} at {at}");
            let now = want["now_ms"].as_f64().unwrap();
            assert!((observed.now.as_ms() - now).abs() < 1e-6, "{context}");
            let pool = &observed.decode;
            assert_eq!(
                pool.ready.len() as u64,
                want["active_decode_count"].as_u64().unwrap(),
                "{context}"
            );
            let total = pool.ready.len() + pool.starting.len() + pool.draining.len();
            assert_eq!(
                total as u64,
                want["total_decode_count"].as_u64().unwrap(),
                "{context}"
            );
            let passes = want["decode_fpm_snapshots"].as_array().unwrap();
            assert_eq!(pool.passes.len(), passes.len(), "{context}");
            for (row, want) in pool.passes.iter().zip(passes) {
                assert!(same_pass(row, want), "{context}: {row:?}\nexpected {want}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 8, "only {checked} steps were checked");
}

#[test]
fn a_quiet_hour_in_a_trace_hangs_no_planner_run() {
    let row = |timestamp: u64| serde_json::json!({"timestamp": timestamp, "input_length": 700, "output_length": 20, "hash_ids": [1, 2]});
    let (_folder, path) = trace_file(&[row(0), row(3_600_000), row(3_600_500)]);
    let planner = r#"{"mode": "agg", "optimization_target": "throughput", "enable_load_scaling": true,
        "load_adjustment_interval_seconds": 10, "decode_engine_num_gpu": 1}"#;
    for compat in ["1.2.1", "default"] {
        let flags = [
            path.as_str(),
            "--compat",
            compat,
            "--planner-config",
            planner,
        ];
        let report = report(&flags.map(str::to_owned)).unwrap();
        assert_eq!(report["completed_requests"], 3);
        // One a ten seconds, and under the reference's clock each asked twice.
        let ticks = report["planner"]["ticks"].as_u64().unwrap();
        assert!((360..=722).contains(&ticks), "{compat}: {ticks}");
    }
}
