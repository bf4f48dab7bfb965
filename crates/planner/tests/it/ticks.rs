//! Recorded planner runs, tick by tick: what the planner saw, and what it must say.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use planner::{
    Bootstrap, FitState, Pass, PlannerPolicy, PlannerSetup, SampleStore, WorkerPass, parse_config,
};
use serde_json::{Map, Value, json};
use sim_api::{
    Decision, Observation, PassRecord, PassRow, PoolObservation, Quirks, Role, ScalingPolicy,
    Spread, Traffic, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

use crate::cases::alike;

/// Whole nanoseconds here, sums of floating-point milliseconds there.
const TIME: f64 = 1e-8;
const REL: f64 = 1e-6;
const ABS: f64 = 1e-9;

fn whole(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_f64().map(|number| number as u64))
        .unwrap_or(0)
}

fn instant(seconds: &Value) -> SimTime {
    SimTime::ZERO
        + SimDuration::try_from_secs(seconds.as_f64().expect("seconds")).expect("a duration")
}

fn argument(header: &Value, flag: &str) -> Value {
    let args = header["args"].as_array().expect("args");
    let at = args.iter().position(|arg| arg == flag);
    at.map_or(Value::Null, |at| args[at + 1].clone())
}

fn profile(engine: &Value) -> WorkerProfile {
    let limit = |name: &str, default: u64| engine[name].as_u64().unwrap_or(default) as u32;
    WorkerProfile {
        block_tokens: limit("block_size", 64),
        blocks: limit("num_gpu_blocks", 16384),
        max_batched_tokens: Some(limit("max_num_batched_tokens", 8192)),
        max_sequences: Some(limit("max_num_seqs", 256)),
        role: Role::Aggregated,
        gpus: 1,
        draft_tokens: 0,
    }
}

fn bootstrap(header: &Value) -> Bootstrap {
    let samples = |name: &str| -> Vec<Pass> {
        let rows = header["bootstrap"][name].as_array();
        rows.map_or_else(Vec::new, |rows| {
            rows.iter()
                .map(|row| Pass {
                    num_prefill: whole(&row[0]),
                    prefill_tokens: whole(&row[1]),
                    num_decode: whole(&row[2]),
                    decode_kv_tokens: whole(&row[3]),
                    wall_s: row[4].as_f64().expect("seconds"),
                    ..Pass::default()
                })
                .collect()
        })
    };
    let agg = samples("agg");
    Bootstrap {
        prefill: samples("prefill"),
        decode: if agg.is_empty() {
            samples("decode")
        } else {
            agg
        },
    }
}

fn policy(header: &Value) -> PlannerPolicy {
    let config = parse_config(&argument(header, "--planner-config"), Quirks::ALL)
        .expect("a config")
        .config;
    let disagg = argument(header, "--prefill-engine-args");
    let decode = if disagg.is_null() {
        "--extra-engine-args"
    } else {
        "--decode-engine-args"
    };
    let setup = PlannerSetup {
        prefill: (!disagg.is_null()).then(|| profile(&disagg)),
        decode: profile(&argument(header, decode)),
        bootstrap: Some(bootstrap(header)),
        warm_up: Vec::new(),
    };
    PlannerPolicy::new(&config, &setup, Quirks::ALL).expect("a policy")
}

fn row(index: usize, row: &Value) -> PassRow {
    let spread = |count: usize, sum: usize| Spread {
        count: whole(&row[count]) as u32,
        sum: whole(&row[sum]),
        sum_of_squares: 0,
    };
    PassRow {
        worker: WorkerId(whole(&row[0]) as u32),
        // Only their order is recorded.
        start: SimTime::from_ns(index as u64),
        duration: SimDuration::from_ns(whole(&row[1])),
        record: PassRecord {
            prefill_lengths: Spread {
                sum: 0,
                ..spread(2, 3)
            },
            prefill_tokens: whole(&row[3]),
            prefill_kv_tokens: whole(&row[4]),
            decode_contexts: spread(5, 6),
            queued_prefill: spread(7, 8),
            queued_decode: spread(9, 10),
            ..PassRecord::default()
        },
    }
}

fn pool(line: &Value, side: &str) -> Option<PoolObservation> {
    let workers = &line["workers"][side];
    let passes = line["fpm"][side].as_array().map_or(&[][..], Vec::as_slice);
    workers.is_object().then(|| PoolObservation {
        ready: (0..whole(&workers["ready"]) as u32).map(WorkerId).collect(),
        passes: passes
            .iter()
            .enumerate()
            .map(|(index, pass)| row(index, pass))
            .collect(),
        ..PoolObservation::default()
    })
}

fn traffic(line: &Value) -> Option<Traffic> {
    let window = &line["traffic"];
    let field = |name: &str| window[name].as_f64().unwrap_or(0.0);
    let requests = field("num_req");
    let sum = |name: &str| (field(name) * requests).round();
    window.is_object().then(|| Traffic {
        duration: SimDuration::try_from_secs(field("duration_s")).expect("a duration"),
        requests: requests as u64,
        input_tokens: sum("avg_isl") as u64,
        output_tokens: sum("avg_osl") as u64,
        ttft: (
            requests as u64,
            SimDuration::try_from_ms(field("avg_ttft_ms") * requests).expect("a duration"),
        ),
        itl_ms: (requests as u64, field("avg_itl_ms") * requests),
        hit_rate: (1, field("avg_kv_hit_rate")),
        decode_forwards: (0, 0),
    })
}

/// Collects differences of one tick.
struct Comparison<'a> {
    place: String,
    line: &'a Value,
    differences: Vec<String>,
}

impl Comparison<'_> {
    fn check(&mut self, what: &str, got: &Value, expected: &Value, abs: f64) {
        if !alike(got, expected, REL, abs) {
            self.differences.push(format!(
                "{} {what}: got {got}, expected {expected}",
                self.place
            ));
        }
    }

    fn model(
        &mut self,
        name: &str,
        features: usize,
        fit: FitState,
        store: &SampleStore,
        averages: &[(&str, f64)],
    ) {
        let expected = &self.line["models"][name];
        if expected.is_null() {
            return;
        }
        let axes: Vec<(f64, f64)> = (0..features)
            .map(|axis| store.range(axis).expect("a range"))
            .collect();
        let buckets: Vec<Value> = store
            .buckets()
            .iter()
            .map(|bucket| json!([bucket.key[..features], bucket.samples.len()]))
            .collect();
        let mut got = json!({
            "samples": store.len(),
            "fitted": fit.fitted,
            "buckets": buckets,
            "axis_min": axes.iter().map(|axis| axis.0).collect::<Vec<_>>(),
            "axis_max": axes.iter().map(|axis| axis.1).collect::<Vec<_>>(),
        });
        let fields = got.as_object_mut().expect("an object");
        if let Some(line) = fit.line {
            fields.insert("coef".to_owned(), json!(line.coef[..features]));
            fields.insert("intercept".to_owned(), json!(line.intercept));
        }
        fields.extend(
            averages
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value))),
        );
        let expected = expected.clone();
        self.check(&format!("model {name}"), &got, &expected, 1e-13);
    }

    fn models(&mut self, policy: &PlannerPolicy) {
        let planner = policy.planner();
        let model = planner.prefill_model();
        self.model(
            "prefill",
            1,
            model.fit_state(),
            model.samples(),
            &[
                ("avg_isl", model.avg_isl()),
                ("avg_num_prefill", model.avg_num_prefill()),
            ],
        );
        let model = planner.decode_model();
        self.model(
            "decode",
            2,
            model.fit_state(),
            model.samples(),
            &[
                ("avg_decode_len", model.avg_decode_length()),
                ("avg_num_decode", model.avg_num_decode()),
                ("max_observed_kv", model.max_observed_kv()),
            ],
        );
        let model = planner.agg_model();
        self.model(
            "agg",
            2,
            model.fit_state(),
            model.samples(),
            &[
                ("avg_isl", model.avg_isl()),
                ("avg_decode_len", model.avg_decode_length()),
                ("avg_prefill_tokens", model.avg_prefill_tokens()),
                ("avg_num_prefill", model.avg_num_prefill()),
                ("avg_num_decode", model.avg_num_decode()),
            ],
        );
    }

    fn decision(&mut self, policy: &PlannerPolicy, decision: &Decision) {
        let record = &decision.record;
        let mut diag = Map::new();
        for (name, value) in &record.values {
            let computed = ["estimated", "predicted", "engine"]
                .iter()
                .any(|of| name.starts_with(of));
            if name.starts_with("lower_bound") {
                diag.insert(format!("throughput_{name}"), json!(value));
            } else if computed && *name != "predicted_rps" {
                diag.insert((*name).to_owned(), json!(value));
            }
        }
        for (name, reason) in &record.reasons {
            // `load_prefill` here, `load_decision_reason_prefill` there.
            let (kind, side) = name
                .split_once('_')
                .map_or((*name, None), |(kind, side)| (kind, Some(side)));
            let side = side.map_or_else(String::new, |side| format!("_{side}"));
            diag.insert(format!("{kind}_decision_reason{side}"), json!(reason));
        }
        let line = self.line;
        self.check("diag", &Value::Object(diag), &line["diag"], ABS);
        let mut to = Map::new();
        if let Some(targets) = record.targets {
            to.extend(
                targets
                    .prefill
                    .map(|count| ("prefill".to_owned(), json!(count))),
            );
            to.extend(
                targets
                    .decode
                    .map(|count| ("decode".to_owned(), json!(count))),
            );
        }
        let scale_to = if record.targets.is_some() {
            Value::Object(to)
        } else {
            Value::Null
        };
        self.check("scale_to", &scale_to, &line["scale_to"], ABS);
        let events: Vec<Value> = decision
            .events
            .iter()
            .map(|event| {
                json!({
                    "at_s": event.at.as_secs(), "component": event.component, "from": event.from,
                    "to": event.to, "reason": event.reason,
                })
            })
            .collect();
        let expected = line["events"].as_array().cloned().unwrap_or_default();
        self.check("events", &json!(events), &json!(expected), TIME);
        self.check(
            "gpu_hours",
            &json!(record.values["gpu_hours"]),
            &line["gpu_hours"],
            ABS,
        );
        self.check(
            "next",
            &json!(policy.next_tick().as_secs()),
            &line["next_at_s"],
            TIME,
        );
    }

    fn cache(&mut self, side: &str, passes: &[WorkerPass]) {
        let got: Vec<Value> = passes
            .iter()
            .map(|seen| {
                let pass = &seen.pass;
                json!([
                    seen.worker.0,
                    (pass.wall_s * 1e9).round(),
                    pass.num_prefill,
                    pass.prefill_tokens,
                    pass.num_decode,
                    pass.decode_kv_tokens,
                    pass.queued_prefill_tokens,
                    pass.queued_decode_kv_tokens,
                ])
            })
            .collect();
        let rows = self.line["cache"][side]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let expected: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!([
                    row[0], row[1], row[2], row[3], row[5], row[6], row[8], row[10]
                ])
            })
            .collect();
        self.check(&format!("cache {side}"), &json!(got), &json!(expected), ABS);
    }
}

/// Feeds the recorded inputs of a run and returns the differences of the first tick that has some.
fn differences(name: &str, recording: impl Read) -> (usize, Vec<String>) {
    let mut lines = BufReader::new(GzDecoder::new(recording)).lines();
    let mut next = || -> Option<Value> {
        let line = lines.next()?.expect("a line");
        Some(serde_json::from_str(&line).expect("JSON"))
    };
    let header = next().expect("a header");
    let ticks = whole(&header["fpm_ticks"]) as usize;
    let mut policy = policy(&header);
    for tick in 0..ticks {
        let line = next().expect("a tick");
        let mut seen = Comparison {
            place: format!("{name} tick {tick}"),
            line: &line,
            differences: Vec::new(),
        };
        seen.check(
            "due",
            &json!(policy.next_tick().as_secs()),
            &line["at_s"],
            TIME,
        );
        seen.check(
            "needs",
            &json!(policy.needs().traffic),
            &line["need_traffic"],
            ABS,
        );
        for (side, name) in ["prefill", "decode"].into_iter().enumerate() {
            let workers = &line["workers"][name];
            if workers.is_object() {
                let expected = policy.expected(side, whole(&workers["ready"]) as u32);
                seen.check("expected", &json!(expected), &workers["expected"], ABS);
            }
        }
        let observation = Observation {
            now: instant(&line["now_s"]),
            prefill: pool(&line, "prefill"),
            decode: pool(&line, "decode").expect("a decode pool"),
            traffic: traffic(&line),
        };
        let decision = policy.on_tick(&observation).expect("a decision");
        for (side, name) in ["prefill", "decode"].into_iter().enumerate() {
            seen.cache(name, policy.caches()[side].passes());
        }
        seen.models(&policy);
        if let Some(rate) = line["kv_hit_rate"].as_f64() {
            seen.check(
                "kv_hit_rate",
                &json!(policy.planner().kv_hit_rate()),
                &json!(rate),
                ABS,
            );
        }
        seen.decision(&policy, &decision);
        if !seen.differences.is_empty() {
            return (tick, seen.differences);
        }
    }
    (ticks, Vec::new())
}

fn shared() -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/oracle/ticks"
    ))
    .to_owned()
}

fn assert_equal(name: &str, recording: impl Read) {
    let (ticks, differences) = differences(name, recording);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(ticks > 0, "{name}: nothing to compare");
}

#[test]
fn disagg_with_roles_and_start_up() {
    let recording = include_bytes!("../fixtures/m1k_planner_disagg_roles_startup.jsonl.gz");
    assert_equal("m1k_planner_disagg_roles_startup", &recording[..]);
}

#[test]
fn agg_with_long_start_up() {
    let recording = include_bytes!("../fixtures/c1k_planner_agg_st120.jsonl.gz");
    assert_equal("c1k_planner_agg_st120", &recording[..]);
}

#[test]
fn all_recordings() {
    let runs = [
        "m1k_planner_agg_easy",
        "m1k_planner_disagg_sla",
        "c1k_planner_agg_st000",
        "conv_planner_agg_st000",
        "conv_planner_disagg",
    ];
    for run in runs {
        let path = shared().join(format!("{run}.jsonl.gz"));
        match File::open(&path) {
            Ok(file) => assert_equal(run, file),
            Err(_) => eprintln!("skipped: no {}", path.display()),
        }
    }
}
