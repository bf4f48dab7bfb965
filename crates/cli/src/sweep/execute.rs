//! Runs of a sweep, one or all.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, anyhow};
use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::Value;

use super::case::{Case, RunSpec};
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

/// Runs `spec` into the store, unless it is there.
pub(crate) fn run_one(spec: &RunSpec, store: &Store, shared: &Shared, page: bool) -> Outcome {
    let flags = spec.flags();
    let plan = Plan::from_flags_sharing(flags.iter().map(String::as_str), shared)?;
    let mut provenance = plan.provenance();
    provenance.insert(
        "arguments".to_owned(),
        Value::Object(spec.arguments.clone()),
    );
    if let Some(report) = store.finished(&spec.id, &provenance)
        && (!page || store.has_page(&spec.id))
    {
        return Ok(Ran { report, kept: true });
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
