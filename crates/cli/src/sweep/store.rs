//! The result store of a sweep: one file a finished run, whole or not there.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use crate::output::write_file;

/// A folder with `points/ID.json`, `pages/ID.html`, and the results.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// A file of the store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The name of a run's report within the store.
    pub(crate) fn report_name(id: &str) -> String {
        format!("points/{id}.json")
    }

    /// The name of a run's page within the store.
    pub(crate) fn page_name(id: &str) -> String {
        format!("pages/{id}.html")
    }

    /// The report of a finished run, if it came from the same program, trace
    /// and configuration as `provenance` says.
    pub(crate) fn finished(&self, id: &str, provenance: &Map<String, Value>) -> Option<Value> {
        let text = std::fs::read_to_string(self.path(&Self::report_name(id))).ok()?;
        let report: Value = serde_json::from_str(&text).ok()?;
        let run = report.get("run")?;
        let same = provenance
            .iter()
            .all(|(key, value)| run.get(key) == Some(value));
        same.then_some(report)
    }

    /// Whether a run has its page.
    pub(crate) fn has_page(&self, id: &str) -> bool {
        self.path(&Self::page_name(id)).is_file()
    }

    /// Writes a file of the store, whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write_file(&self.path(name), text)
    }
}
