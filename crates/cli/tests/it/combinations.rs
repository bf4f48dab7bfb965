//! Every combination of engine, speculation, topology, router, arrivals,
//! planner and compatibility runs to its end, or is refused by the rule that
//! forbids it, in a sentence.

use std::fmt::Write as _;

use dynosim::{Extras, Plan};
use kv_router::RouterMode;
use serde_json::{Value, json};

use crate::fixtures::trace_file;

const REQUESTS: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Vllm,
    Sglang,
    Trtllm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    Aggregated,
    /// Pools whose engines are told their roles.
    Disaggregated,
    /// Pools whose engines are told nothing.
    WithoutRoles,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrivals {
    Timestamps,
    SpeedUp,
    Concurrency,
    Sessions,
    SessionsConcurrency,
    Rate,
    Interval,
    SyntheticConcurrency,
    SyntheticSessions,
}

const ARRIVALS: [Arrivals; 9] = [
    Arrivals::Timestamps,
    Arrivals::SpeedUp,
    Arrivals::Concurrency,
    Arrivals::Sessions,
    Arrivals::SessionsConcurrency,
    Arrivals::Rate,
    Arrivals::Interval,
    Arrivals::SyntheticConcurrency,
    Arrivals::SyntheticSessions,
];

#[derive(Clone, Copy, Debug)]
struct Combination {
    engine: Engine,
    speculation: bool,
    topology: Topology,
    router: RouterMode,
    arrivals: Arrivals,
    planner: bool,
    compat: &'static str,
}

impl Arrivals {
    fn synthetic(self) -> bool {
        use Arrivals::{Interval, Rate, SyntheticConcurrency, SyntheticSessions};
        matches!(
            self,
            Rate | Interval | SyntheticConcurrency | SyntheticSessions
        )
    }

    fn sessions(self) -> bool {
        matches!(self, Self::Sessions | Self::SessionsConcurrency)
    }

    /// Flags besides those of the load itself.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Timestamps | Self::Sessions => &[],
            Self::SpeedUp => &["--arrival-speedup-ratio=3"],
            Self::Concurrency | Self::SessionsConcurrency => &["--replay-concurrency=3"],
            Self::Rate => &["--request-rate=4"],
            Self::Interval => &["--arrival-interval-ms=300"],
            Self::SyntheticConcurrency => &["--replay-concurrency=2"],
            Self::SyntheticSessions => &["--turns-per-session=3", "--inter-turn-delay-ms=500"],
        }
    }
}

impl Combination {
    /// What a user reads, if the combination is forbidden: the first rule that
    /// applies.
    fn refusal(self) -> Option<String> {
        let first = self.compat == "1.2.1";
        let engines = if self.topology == Topology::Aggregated {
            "--extra-engine-args"
        } else {
            "--prefill-engine-args"
        };
        let wrong_engine = match self.engine {
            _ if first && self.speculation => {
                Some("Invalid arguments found in JSON file: aic_nextn, aic_nextn_accept_rates")
            }
            Engine::Trtllm if first => {
                Some("Invalid engine_type 'trtllm': expected \"vllm\" or \"sglang\"")
            }
            Engine::Sglang if self.speculation => {
                Some("aic_nextn is simulated for engine_type vllm only")
            }
            _ => None,
        };
        if let Some(what) = wrong_engine {
            return Some(format!("{engines}: {what}"));
        }
        let sentence = match self.topology {
            // A planner knows which pool is which.
            Topology::WithoutRoles if !self.planner => {
                "disaggregated replay requires prefill_engine_args.worker_type=prefill, \
                 got Aggregated"
            }
            _ if first && self.planner && self.arrivals.synthetic() => {
                "--planner-config needs a trace file in version 1.2.1, not a synthetic load"
            }
            _ => return None,
        };
        Some(sentence.to_owned())
    }

    fn wanted(self) -> Outcome {
        match self.refusal() {
            Some(sentence) => Outcome::Refused(2, sentence),
            None => Outcome::Ran {
                requests: REQUESTS,
                completed: REQUESTS,
                planned: self.planner,
            },
        }
    }

    fn engine_args(self, role: Option<&str>) -> String {
        let mut args = match self.engine {
            Engine::Vllm => json!({"num_gpu_blocks": 400}),
            Engine::Sglang => json!({"engine_type": "sglang", "num_gpu_blocks": 25000}),
            Engine::Trtllm => json!({"engine_type": "trtllm", "num_gpu_blocks": 800}),
        };
        if self.speculation {
            args["aic_nextn"] = 2.into();
            args["aic_nextn_accept_rates"] = "0.8,0.5".into();
        }
        if let Some(role) = role {
            args["worker_type"] = role.into();
        }
        args.to_string()
    }

    fn flags(self, trace: &str) -> Vec<String> {
        let mut flags: Vec<String> = vec![
            format!("--router-mode={}", self.router.name()),
            format!("--compat={}", self.compat),
        ];
        if self.arrivals.synthetic() {
            flags.push("--input-tokens=200".to_owned());
            flags.push("--output-tokens=60".to_owned());
            let per_session = if self.arrivals == Arrivals::SyntheticSessions {
                3
            } else {
                1
            };
            flags.push(format!("--request-count={}", REQUESTS / per_session));
        } else {
            flags.push(trace.to_owned());
        }
        flags.extend(self.arrivals.flags().iter().map(ToString::to_string));
        let roles = (self.topology == Topology::Disaggregated).then_some(("prefill", "decode"));
        if self.topology == Topology::Aggregated {
            flags.push("--num-workers=2".to_owned());
            flags.push(format!("--extra-engine-args={}", self.engine_args(None)));
        } else {
            let (prefill, decode) = roles.unzip();
            flags.push(format!(
                "--prefill-engine-args={}",
                self.engine_args(prefill)
            ));
            flags.push(format!("--decode-engine-args={}", self.engine_args(decode)));
        }
        if self.planner {
            let aggregated = self.topology == Topology::Aggregated;
            let planner = json!({
                "mode": if aggregated { "agg" } else { "disagg" },
                "optimization_target": "sla", "enable_load_scaling": true,
                "load_adjustment_interval_seconds": 1,
                "throughput_adjustment_interval_seconds": 3,
                "report_interval_hours": null, "live_dashboard_port": 0,
            });
            flags.push(format!("--planner-config={planner}"));
        }
        flags
    }
}

/// Single requests, or the same as the turns of four sessions.
fn rows(sessions: bool) -> Vec<Value> {
    (0..REQUESTS)
        .map(|number| {
            let mut row = json!({
                "timestamp": number * 400, "input_length": 300 + 40 * number,
                "output_length": 60 + number, "hash_ids": [number % 3, 100 + number],
            });
            if sessions {
                row["session_id"] = json!(format!("session {}", number % 4));
            }
            row
        })
        .collect()
}

fn every() -> Vec<Combination> {
    let engines = [Engine::Vllm, Engine::Sglang, Engine::Trtllm];
    let topologies = [
        Topology::Aggregated,
        Topology::Disaggregated,
        Topology::WithoutRoles,
    ];
    let modes = [
        (false, "default"),
        (true, "default"),
        (false, "1.2.1"),
        (true, "1.2.1"),
    ];
    let mut all = Vec::new();
    for (engine, speculation) in engines.into_iter().flat_map(|e| [(e, false), (e, true)]) {
        for (topology, router) in topologies
            .into_iter()
            .flat_map(|topology| RouterMode::ALL.map(|router| (topology, router)))
        {
            for (arrivals, (planner, compat)) in ARRIVALS
                .into_iter()
                .flat_map(|arrivals| modes.map(|mode| (arrivals, mode)))
            {
                all.push(Combination {
                    engine,
                    speculation,
                    topology,
                    router,
                    arrivals,
                    planner,
                    compat,
                });
            }
        }
    }
    all
}

/// How a run ends.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Ran {
        requests: u64,
        completed: u64,
        planned: bool,
    },
    Refused(u8, String),
    Failed(String),
}

fn outcome(flags: &[String]) -> Outcome {
    let plan = match Plan::from_flags(flags.iter().map(String::as_str)) {
        Ok(plan) => plan,
        Err(failure) => return Outcome::Refused(failure.code(), failure.to_string()),
    };
    match plan.run(Extras::default()) {
        Ok(finished) => Outcome::Ran {
            requests: finished.summary.requests,
            completed: finished.summary.completed,
            planned: finished.summary.planner.is_some(),
        },
        Err(failure) => Outcome::Failed(failure.to_string()),
    }
}

#[test]
fn every_combination_runs_or_is_refused_in_a_sentence() {
    let (_single, single) = trace_file(&rows(false));
    let (_turns, turns) = trace_file(&rows(true));
    let mut surprises = String::new();
    for combination in every() {
        let trace = if combination.arrivals.sessions() {
            &turns
        } else {
            &single
        };
        let (wanted, got) = (combination.wanted(), outcome(&combination.flags(trace)));
        if wanted != got {
            let _ = writeln!(surprises, "{combination:?}: {got:?}, not {wanted:?}");
        }
    }
    assert!(surprises.is_empty(), "{surprises}");
}
