//! What arrives: a trace, a generated load, or the embedded twin.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use sim_api::{Quirk, Quirks, Workload};
use sim_core::SimDuration;
use trace::{
    AgenticTwin, Load, Pacing, Spacing, StreamedTrace, Synthetic, Trace, TraceFormat, TraceOptions,
    Window, WorkloadSpec,
};

use super::shared::{LoadedTrace, Shared};
use crate::args::raw::{ArrivalArgs, ReplayArgs, SyntheticArgs};
use crate::exit::Failure;

/// Traces from this size on are read while they are played.
const STREAMED_FROM_BYTES: u64 = 256 << 20;
/// Load samples over the span of a run, for charts.
const SAMPLES: f64 = 400.0;

/// A workload, ready to be started any number of times.
#[derive(Clone, Debug)]
pub(crate) struct WorkloadPlan {
    spec: WorkloadSpec,
    /// What the user calls it.
    name: String,
    /// How many requests it has, if known.
    requests: Option<u64>,
    /// From the first to the last arrival, in simulated seconds, if known.
    span_s: Option<f64>,
}

impl WorkloadPlan {
    /// Reads the trace, or checks the flags of a generated load.
    pub(crate) fn resolve(
        args: &ReplayArgs,
        shared: &Shared,
        block_tokens: u32,
        quirks: Quirks,
    ) -> Result<Self> {
        let speedup = args.arrivals.arrival_speedup_ratio.unwrap_or(1.0);
        let synthetic = given_synthetic(&args.synthetic)?;
        let (load, name, span_s) = match (&args.trace, synthetic) {
            (Some(_), Some(flag)) => bail!(
                "give either a trace or a synthetic load, not both: {flag} goes with no trace"
            ),
            (Some(path), None) => {
                let trace = read_trace(path, args, shared, quirks)?;
                (trace.load, trace.name, trace.span_s)
            }
            (None, Some(_)) => {
                let synthetic = synthetic_load(&args.synthetic)?;
                let name = format!(
                    "synthetic, {} x {} input and {} output tokens",
                    synthetic.request_count, synthetic.input_tokens, synthetic.output_tokens
                );
                (Load::Synthetic(synthetic), name, None)
            }
            (None, None) => bail!(
                "nothing to replay: give a trace file, or --input-tokens, --output-tokens and \
                 --request-count for a synthetic load"
            ),
        };
        let spec = WorkloadSpec {
            load,
            pacing: pacing(&args.arrivals, speedup)?,
            window: window(&args.arrivals),
            engine_block_size: block_tokens,
            quirks,
        };
        Self::new(spec, name, span_s.map(|span| span / speedup))
    }

    /// Builds the workload once, so that whatever does not fit is said before
    /// anything runs.
    fn new(spec: WorkloadSpec, name: String, span_s: Option<f64>) -> Result<Self> {
        let requests = spec.build()?.len_hint();
        Ok(Self {
            spec,
            name,
            requests,
            span_s,
        })
    }

    /// The arrivals from the start.
    pub(crate) fn start(&self) -> Result<Box<dyn Workload>, Failure> {
        self.spec
            .build()
            .map_err(|error| Failure::from(anyhow::Error::from(error)))
    }

    /// The cap on requests in flight, in a closed loop.
    pub(crate) fn concurrency(&self) -> Option<usize> {
        match self.spec.pacing {
            Pacing::Closed { concurrency } => {
                Some(usize::try_from(concurrency).unwrap_or(usize::MAX))
            }
            Pacing::Arrivals { .. } => None,
        }
    }

    /// Plays the trace at its own times whatever the flags said.
    pub(crate) fn open_loop(&mut self, speedup: f64) {
        self.spec.pacing = Pacing::Arrivals { speedup };
    }

    /// How many requests to expect, where that is known.
    pub(crate) fn expected_requests(&self) -> Option<u64> {
        self.requests
    }

    /// How often load is sampled for charts.
    pub(crate) fn sampling(&self) -> SimDuration {
        let seconds = self.span_s.map_or(1.0, |span| (span / SAMPLES).max(0.5));
        SimDuration::try_from_secs(seconds).unwrap_or(SimDuration::from_ns(1_000_000_000))
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it comes from a file.
    pub(crate) fn is_trace(&self) -> bool {
        !matches!(self.spec.load, Load::Synthetic(_))
    }

    /// A fingerprint of the trace's rows.
    pub(crate) fn digest(&self) -> Option<String> {
        match &self.spec.load {
            Load::Trace(trace) => Some(format!("{:016x}", trace.digest())),
            Load::Streamed(_) | Load::Synthetic(_) => None,
        }
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let mut text = self.name.clone();
        if let Some(requests) = self.expected_requests() {
            text += &format!(", {requests} requests");
        }
        match self.spec.pacing {
            Pacing::Closed { concurrency } => text += &format!(", at most {concurrency} in flight"),
            Pacing::Arrivals { speedup } => text += &format!(", speed-up {speedup}"),
        }
        text
    }
}

fn pacing(args: &ArrivalArgs, speedup: f64) -> Result<Pacing> {
    let Some(cap) = args.replay_concurrency else {
        return Ok(Pacing::Arrivals { speedup });
    };
    let concurrency = u64::try_from(cap)
        .ok()
        .filter(|&cap| cap >= 1)
        .with_context(|| format!("replay_concurrency must be at least 1, got {cap}"))?;
    Ok(Pacing::Closed { concurrency })
}

fn window(args: &ArrivalArgs) -> Window {
    Window {
        limit: args.limit,
        from_s: args.from,
        to_s: args.to,
    }
}

/// How requests are written in `path`, by `--trace-format` if it is given.
pub(crate) fn trace_format(path: &Path, given: Option<&str>) -> Result<TraceFormat> {
    if let Some(name) = given {
        return name.parse().context("--trace-format");
    }
    let name = path.to_string_lossy();
    ensure!(
        ![".csv", ".csv.gz", ".csv.zst"]
            .iter()
            .any(|end| name.ends_with(end)),
        "{name}: say whose log it is, with --trace-format azure or --trace-format burstgpt"
    );
    Ok(TraceFormat::default())
}

/// How a trace is to be read.
fn trace_options(path: &Path, args: &ArrivalArgs) -> Result<TraceOptions> {
    Ok(TraceOptions {
        format: trace_format(path, args.trace_format.as_deref())?,
        block_size: args.trace_block_size.unwrap_or(512),
        shared_prefix_ratio: args.trace_shared_prefix_ratio,
        num_prefix_groups: args.trace_num_prefix_groups,
    })
}

/// The name of the embedded workload where a trace may be named.
pub(crate) const TWIN: &str = "twin:toolagent";

fn read_trace(
    path: &Path,
    args: &ReplayArgs,
    shared: &Shared,
    quirks: Quirks,
) -> Result<LoadedTrace> {
    let options = trace_options(path, &args.arrivals)?;
    ensure!(
        options.format.is_in_1_2_1() || !quirks.has(Quirk::RefuseLaterFeatures),
        "--trace-format {} is not in version 1.2.1",
        options.format.name()
    );
    if path == Path::new(TWIN) {
        let seeded = format!("{TWIN}:{}", args.deployment.seed);
        return shared.trace(Path::new(&seeded), &options, || {
            Ok(embedded_twin(args.deployment.seed))
        });
    }
    shared.trace(path, &options, || load_file(path, &options))
}

fn load_file(path: &Path, options: &TraceOptions) -> Result<LoadedTrace> {
    let name = path.display().to_string();
    let large = std::fs::metadata(path).is_ok_and(|about| about.len() >= STREAMED_FROM_BYTES);
    if large && let Some(streamed) = StreamedTrace::scan(path, options)? {
        return Ok(LoadedTrace {
            load: Load::Streamed(streamed),
            name,
            span_s: None,
        });
    }
    let trace = Trace::open(path, options)?;
    let span_s = Some(span_s(&trace));
    Ok(LoadedTrace {
        load: Load::Trace(Arc::new(trace)),
        name,
        span_s,
    })
}

fn embedded_twin(seed: u64) -> LoadedTrace {
    let trace = AgenticTwin::new(seed).trace();
    LoadedTrace {
        span_s: Some(span_s(&trace)),
        load: Load::Trace(Arc::new(trace)),
        name: "embedded agentic workload".to_owned(),
    }
}

fn span_s(trace: &Trace) -> f64 {
    let times = || trace.requests().filter_map(|request| request.timestamp_ms);
    let first = times().fold(f64::INFINITY, f64::min);
    let last = times().fold(f64::NEG_INFINITY, f64::max);
    ((last - first) / 1000.0).max(0.0)
}

/// A flag of a synthetic load that was given, if any.
fn given_synthetic(args: &SyntheticArgs) -> Result<Option<&'static str>> {
    let flags = [
        ("--input-tokens", args.input_tokens.is_some()),
        ("--output-tokens", args.output_tokens.is_some()),
        ("--request-count", args.request_count.is_some()),
        ("--arrival-interval-ms", args.arrival_interval_ms.is_some()),
        ("--request-rate", args.request_rate.is_some()),
        ("--turns-per-session", args.turns_per_session.is_some()),
        ("--shared-prefix-ratio", args.shared_prefix_ratio.is_some()),
        ("--num-prefix-groups", args.num_prefix_groups.is_some()),
        ("--inter-turn-delay-ms", args.inter_turn_delay_ms.is_some()),
    ];
    ensure!(
        args.arrival_interval_ms.is_none() || args.request_rate.is_none(),
        "give either --arrival-interval-ms or --request-rate, not both"
    );
    Ok(flags
        .iter()
        .find(|(_, given)| *given)
        .map(|(flag, _)| *flag))
}

fn synthetic_load(args: &SyntheticArgs) -> Result<Synthetic> {
    let needed = |flag: &str| format!("a synthetic load needs {flag}");
    let input_tokens = args
        .input_tokens
        .with_context(|| needed("--input-tokens"))?;
    let output_tokens = args
        .output_tokens
        .with_context(|| needed("--output-tokens"))?;
    let request_count = args
        .request_count
        .with_context(|| needed("--request-count"))?;
    let spacing = match args.request_rate {
        Some(per_s) => Spacing::Poisson {
            per_s,
            seed: args.arrival_seed,
        },
        None => Spacing::Interval {
            ms: args.arrival_interval_ms.unwrap_or(1.0),
        },
    };
    Ok(Synthetic {
        spacing,
        turns_per_session: args.turns_per_session.unwrap_or(1),
        shared_prefix_ratio: args.shared_prefix_ratio.unwrap_or(0.0),
        num_prefix_groups: args.num_prefix_groups.unwrap_or(0),
        inter_turn_delay_ms: args.inter_turn_delay_ms.unwrap_or(0.0),
        ..Synthetic::plain(input_tokens, output_tokens, request_count)
    })
}
