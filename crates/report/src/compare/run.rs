//! A report that was read back.

use serde_json::Value;

use super::metric::Metric;

/// The report of a run, with a name to call it by.
#[derive(Clone, Debug)]
pub struct ComparedRun {
    name: String,
    report: Value,
}

/// Reports cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The text is no JSON.
    #[error("{name}: not a JSON report: {source}")]
    NotJson {
        /// Which report.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The JSON is something else.
    #[error("{name}: not a report: no key `num_requests` at top level")]
    NotAReport {
        /// Which report.
        name: String,
    },
    /// A report lacks what a bound is about.
    #[error("{name}: no key `{key}` to check `--fail-on {bound}`{hint}")]
    NoSuchMetric {
        /// Which report.
        name: String,
        /// The key.
        key: String,
        /// The bound as it was given.
        bound: String,
        /// What would help.
        hint: String,
    },
}

impl ComparedRun {
    /// Reads a JSON report: ours, or one of the reference.
    ///
    /// # Errors
    /// The text is no JSON object with the key `num_requests`.
    pub fn parse(name: &str, text: &str) -> Result<Self, CompareError> {
        let report: Value = serde_json::from_str(text).map_err(|source| CompareError::NotJson {
            name: name.to_owned(),
            source,
        })?;
        if report.get("num_requests").and_then(Value::as_u64).is_none() {
            return Err(CompareError::NotAReport {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            report,
        })
    }

    /// What the run is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number under `key`, if the report has one.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.report.get(key)?.as_f64()
    }

    pub(crate) fn pointer(&self, path: &str) -> Option<&Value> {
        self.report.pointer(path)
    }

    pub(crate) fn metric(&self, metric: &Metric) -> Option<f64> {
        match metric.key {
            "scaling_events" => {
                let events = self.report.pointer("/planner/scaling_events")?;
                Some(events.as_array()?.len() as f64)
            }
            key => self.number(key),
        }
    }
}
