//! What plans of one process share: parsed traces and bound step-time models.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aic_perf::{AicConfig, AicEngine, AicError};
use anyhow::Result;
use trace::{Load, Trace, TraceOptions};

/// A trace, read.
#[derive(Clone, Debug)]
pub(crate) struct LoadedTrace {
    pub(crate) load: Load,
    /// What the user calls it.
    pub(crate) name: String,
    /// From the first to the last arrival, in seconds of the trace, if known.
    pub(crate) span_s: Option<f64>,
}

/// Traces and step-time models by what they were asked for with. A run of its
/// own starts with an empty one; the points of a sweep share one, so that each
/// trace is parsed and each table bound once. Models fill themselves with
/// answers that depend on nothing but the question, so sharing changes no run.
///
/// ```
/// use dynosim::{Extras, Plan, Shared};
///
/// let shared = Shared::default();
/// let mut p99 = Vec::new();
/// for workers in ["1", "2"] {
///     let flags = ["--num-workers", workers, "--limit", "300", "--", "twin:toolagent"];
///     let plan = Plan::from_flags_sharing(flags, &shared)?;
///     p99.push(plan.run(Extras::default())?.summary.ttft.p99);
/// }
/// assert!(p99[1] < p99[0]);
/// # Ok::<(), dynosim::Failure>(())
/// ```
#[derive(Debug, Default)]
pub struct Shared {
    traces: Mutex<Vec<(String, LoadedTrace)>>,
    histories: Mutex<Vec<(PathBuf, Arc<Trace>)>>,
    engines: Mutex<Vec<(AicConfig, AicEngine)>>,
}

impl Shared {
    /// The trace under this name, read by `load` if it is the first time.
    pub(crate) fn trace(
        &self,
        path: &Path,
        options: &TraceOptions,
        load: impl FnOnce() -> Result<LoadedTrace>,
    ) -> Result<LoadedTrace> {
        let key = format!("{} {options:?}", path.display());
        let mut traces = locked(&self.traces);
        if let Some((_, trace)) = traces.iter().find(|(known, _)| *known == key) {
            return Ok(trace.clone());
        }
        let trace = load()?;
        traces.push((key, trace.clone()));
        Ok(trace)
    }

    /// Past traffic for predictors.
    pub(crate) fn history(&self, path: &Path) -> Result<Arc<Trace>> {
        let mut histories = locked(&self.histories);
        if let Some((_, trace)) = histories.iter().find(|(known, _)| known == path) {
            return Ok(Arc::clone(trace));
        }
        let trace = Arc::new(Trace::open(path, &TraceOptions::default())?);
        histories.push((path.to_owned(), Arc::clone(&trace)));
        Ok(trace)
    }

    /// The engine of this configuration.
    pub(crate) fn engine(&self, config: &AicConfig) -> Result<AicEngine, AicError> {
        let mut engines = locked(&self.engines);
        if let Some((_, engine)) = engines.iter().find(|(known, _)| known == config) {
            return Ok(engine.clone());
        }
        let engine = AicEngine::new(config)?;
        engines.push((config.clone(), engine.clone()));
        Ok(engine)
    }
}

/// The lists are only ever pushed to, so a panic elsewhere leaves them whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
