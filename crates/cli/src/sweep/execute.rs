//! Runs of a sweep, one or all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, anyhow};
use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::case::{Case, RunSpec, text_of};
use super::inputs::Inputs;
use super::store::Store;
use crate::exit::Failure;
use crate::plan::{Plan, Shared};
use crate::run::Extras;

/// What became of a run.
pub(crate) type Outcome = Result<Ran, Failure>;

/// A run with its report.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) report: Value,
    /// Whether the store had it already.
    pub(crate) kept: bool,
}

/// What the runs of one process have in common.
#[derive(Debug, Default)]
pub(crate) struct Common {
    shared: Shared,
    inputs: Inputs,
}

/// Runs `spec` into the store, unless it is there.
pub(crate) fn run_one(spec: &RunSpec, store: &Store, common: &Common, page: bool) -> Outcome {
    let flags = spec.flags();
    let plan = Plan::from_flags_sharing(flags.iter().map(String::as_str), &common.shared)?;
    let provenance = provenance(spec, &plan, &common.inputs)?;
    let report = store.finished(&spec.id, &provenance);
    if let Some(report) = report {
        if !page || store.has_page(&spec.id) {
            return Ok(Ran { report, kept: true });
        }
    } else {
        // A page that is older than its report would pass for its own later.
        store.forget_page(&spec.id);
    }
    let finished = plan.run(Extras {
        timeline: page,
        ..Extras::default()
    })?;
    let summary = &finished.summary;
    if summary.requests > 0 && summary.rejected == summary.requests {
        return Err(Failure::failed(anyhow!("every request was rejected")));
    }
    if let Some(timeline) = &finished.timeline {
        let mut options = plan.html_options(&finished);
        options.command = Some(crate::run::shell_line(
            std::iter::once("replay".to_owned()).chain(flags),
        ));
        let html = report::html_report(summary, timeline, &options);
        store
            .write(&Store::page_name(&spec.id), &html)
            .map_err(Failure::failed)?;
    }
    let mut options = plan.json_options(&finished);
    options.run = provenance;
    let text = report::report_json(summary, &options);
    // The report comes last: where it is, the run is whole.
    store
        .write(&Store::report_name(&spec.id), &text)
        .map_err(Failure::failed)?;
    // Read back, so that a kept run and a new one give the same digits.
    let report = serde_json::from_str(&text).map_err(Failure::failed)?;
    Ok(Ran {
        report,
        kept: false,
    })
}

/// Everything that decides a run.
fn provenance(spec: &RunSpec, plan: &Plan, inputs: &Inputs) -> Result<Map<String, Value>, Failure> {
    let mut provenance = plan.provenance();
    let known = provenance.get("trace_digest").is_some_and(Value::is_string);
    let inputs = inputs
        .digests(&spec.arguments, !known)
        .map_err(Failure::failed)?;
    let arguments = spec.arguments.clone();
    provenance.insert("arguments".to_owned(), Value::Object(arguments));
    if !inputs.is_empty() {
        provenance.insert("inputs".to_owned(), Value::Object(inputs));
    }
    Ok(provenance)
}

/// How far a run with `--fail-below-sla` stays below its bound, in words.
pub(crate) fn below_bound(spec: &RunSpec, attainment: Option<f64>) -> Option<String> {
    let bound: f64 = text_of(spec.arguments.get("fail-below-sla")?)
        .parse()
        .ok()?;
    let attainment = attainment?;
    (attainment < bound).then(|| format!("{attainment:.4} < {bound}"))
}

/// What became of all runs.
#[derive(Debug)]
pub(crate) struct Outcomes(IndexMap<String, Outcome>);

impl Outcomes {
    /// Those of a case, in the order of its runs.
    pub(crate) fn of<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = &'a Outcome> {
        case.runs.iter().filter_map(|run| self.0.get(&run.id))
    }

    /// How many runs the store had already.
    pub(crate) fn kept(&self) -> usize {
        self.0.values().flatten().filter(|ran| ran.kept).count()
    }
}

/// The different runs of some cases, each once however often it occurs.
pub(crate) fn different_runs(cases: &[Case]) -> IndexMap<&str, &RunSpec> {
    let runs = cases.iter().flat_map(|case| &case.runs);
    runs.map(|run| (run.id.as_str(), run)).collect()
}

/// Runs all cases on `threads` threads (0 for all that there are). The
/// outcomes do not depend on the number of threads.
pub(crate) fn run_all(
    runs: &IndexMap<&str, &RunSpec>,
    threads: usize,
    run: impl Fn(&RunSpec) -> Outcome + Sync,
) -> Result<Outcomes, Failure> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .context("cannot start threads")
        .map_err(Failure::failed)?;
    let runs: Vec<&RunSpec> = runs.values().copied().collect();
    let outcomes: Vec<Outcome> = pool.install(|| {
        runs.par_iter()
            .with_max_len(1)
            .map(|spec| guarded(|| run(spec)))
            .collect()
    });
    let ids = runs.iter().map(|spec| spec.id.clone());
    Ok(Outcomes(ids.zip(outcomes).collect()))
}

/// A defect that one point strikes shall not take the others' results away.
fn guarded(run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        Err(Failure::failed(anyhow!("the run panicked: {what}")))
    })
}
