//! A plan becomes a run, a run becomes figures.

use std::io::Write;
use std::time::{Duration, Instant};

use replay::{DigestObserver, Parts, Simulation};
use report::{
    Collector, CollectorOptions, FanOut, HtmlOptions, JsonOptions, RequestLog, Summary, Timeline,
};
use serde_json::Value;
use sim_api::Observer;

use crate::exit::Failure;
use crate::plan::Plan;

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its figures.
    pub summary: Summary,
    /// Real time the simulation took.
    pub wall_time: Duration,
    /// Digest of every event, if it was asked for: equal runs have equal digests.
    pub digest: Option<u64>,
    /// What happened over time, if it was asked for.
    pub timeline: Option<Timeline>,
    /// What the planner had to say before the run.
    pub notes: Vec<String>,
}

/// What a run writes down besides its summary.
#[derive(Default)]
pub struct Extras<'a> {
    /// One JSON line a request.
    pub requests: Option<&'a mut dyn Write>,
    /// Somebody else who watches.
    pub observer: Option<&'a mut dyn Observer>,
    /// Whether to digest the events.
    pub digest: bool,
    /// Whether to keep what charts need.
    pub timeline: bool,
}

impl Plan {
    /// Runs the plan.
    ///
    /// # Errors
    /// The workload cannot be read on, a step time is missing, or the request
    /// log cannot be written.
    pub fn run(&self, extras: Extras<'_>) -> Result<Finished, Failure> {
        let factory = self.factory();
        let mut collector = Collector::new(CollectorOptions {
            quirks: self.quirks(),
            sla: self.goals.sla,
        });
        let mut digest = extras.digest.then(DigestObserver::default);
        let mut timeline = extras.timeline.then(|| Timeline::new(self.goals.sla));
        let mut log = extras
            .requests
            .map(|out| RequestLog::new(out, self.goals.sla));
        let mut everyone = FanOut::new();
        everyone.add(&mut collector);
        if let Some(digest) = &mut digest {
            everyone.add(digest);
        }
        if let Some(timeline) = &mut timeline {
            everyone.add(timeline);
        }
        if let Some(log) = &mut log {
            everyone.add(log);
        }
        if let Some(observer) = extras.observer {
            everyone.add(observer);
        }
        let (policy, notes) = match self.policy(&factory)? {
            Some((policy, notes)) => (Some(policy), notes),
            None => (None, Vec::new()),
        };
        let parts = Parts {
            workload: self.workload()?,
            engines: &factory,
            prefill_router: self.prefill_router(),
            decode_router: self.decode_router(),
            policy,
            observer: &mut everyone,
        };
        let started = Instant::now();
        Simulation::new(self.spec(extras.timeline), parts)
            .run()
            .map_err(Failure::failed)?;
        let wall_time = started.elapsed();
        if let Some(log) = log {
            log.finish().map_err(Failure::failed)?;
        }
        Ok(Finished {
            summary: collector.summary(),
            wall_time,
            digest: digest.map(|digest| digest.value()),
            timeline,
            notes,
        })
    }

    /// The JSON report of a finished run.
    pub fn report(&self, finished: &Finished) -> Value {
        report::report_value(&finished.summary, &self.json_options(finished))
    }

    /// What the HTML page says besides the metrics.
    pub(crate) fn html_options(&self, finished: &Finished) -> HtmlOptions {
        let notes = self.notes.iter().chain(&finished.notes);
        HtmlOptions {
            title: title(self.workload.name()),
            command: Some(command_line()),
            configuration: Value::Object(self.provenance()),
            gpu_hour_price: self.goals.gpu_hour_price,
            notes: notes.cloned().collect(),
        }
    }

    pub(crate) fn json_options(&self, finished: &Finished) -> JsonOptions {
        JsonOptions {
            wall_time: (!self.no_wall_clock).then_some(finished.wall_time),
            gpu_hour_price: self.goals.gpu_hour_price,
            router_mode: Some(self.router_mode().to_owned()),
            run: self.provenance(),
        }
    }
}

/// A name without its folder, which the command tells.
pub(crate) fn title(name: &str) -> String {
    let file = std::path::Path::new(name).file_name();
    file.map_or(name.into(), |file| file.to_string_lossy().into_owned())
}

/// The command that repeats the run, quoted for a shell.
fn command_line() -> String {
    shell_line(std::env::args().skip(1))
}

/// `dynosim` with these arguments, quoted for a shell.
pub(crate) fn shell_line(args: impl Iterator<Item = String>) -> String {
    let quoted = args.map(|arg| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            arg
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    });
    std::iter::once("dynosim".to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}
