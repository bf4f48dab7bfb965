//! The result store of a sweep: one file a finished run, whole or not there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::output::write_file;

/// How every page ends.
const PAGE_END: &str = "</html>\n";

/// A folder with `points/ID.json`, `pages/ID.html`, and the results.
///
/// Any number of processes may write to one folder: files appear whole, and
/// equal runs write equal bytes.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    /// Locked, shared, as long as this process may write.
    _claim: Option<File>,
    /// The first file that could not be written.
    lost: OnceLock<String>,
}

impl Store {
    /// Makes or enters a folder. If nobody else writes there, what killed
    /// processes left half written is taken away.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // Not every system locks folders; without a lock nothing is taken away.
        let claim = File::open(folder).ok();
        if let Some(claim) = &claim {
            if claim.try_lock().is_ok() {
                remove_parts(folder, &["results.jsonl", "results.csv", "sweep.html"]);
                remove_parts(&folder.join("points"), &[".json"]);
                remove_parts(&folder.join("pages"), &[".html"]);
                let _ = claim.unlock();
            }
            let _ = claim.lock_shared();
        }
        Ok(Self {
            folder: folder.to_owned(),
            _claim: claim,
            lost: OnceLock::new(),
        })
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

    /// The report of a finished run, if it came from the same program, trace,
    /// files and configuration as `provenance` says.
    pub(crate) fn finished(&self, id: &str, provenance: &Map<String, Value>) -> Option<Value> {
        let text = std::fs::read_to_string(self.path(&Self::report_name(id))).ok()?;
        let report: Value = serde_json::from_str(&text).ok()?;
        let run = report.get("run")?;
        let same = provenance
            .iter()
            .all(|(key, value)| run.get(key) == Some(value));
        // Files that a run no longer needs decided it, too.
        let no_more = run.get("inputs") == provenance.get("inputs");
        (same && no_more).then_some(report)
    }

    /// Whether a run has its page, to the end.
    pub(crate) fn has_page(&self, id: &str) -> bool {
        let ends_well = || -> std::io::Result<bool> {
            let mut file = File::open(self.path(&Self::page_name(id)))?;
            file.seek(SeekFrom::End(-(PAGE_END.len() as i64)))?;
            let mut end = Vec::new();
            file.read_to_end(&mut end)?;
            Ok(end == PAGE_END.as_bytes())
        };
        ends_well().unwrap_or(false)
    }

    /// Takes away the page of an earlier, different run of this name.
    pub(crate) fn forget_page(&self, id: &str) {
        let _ = std::fs::remove_file(self.path(&Self::page_name(id)));
    }

    /// Writes a file of the store, whole or not at all.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<()> {
        write_file(&self.path(name), text).inspect_err(|error| {
            let _ = self.lost.set(format!("{error:#}"));
        })
    }

    /// Why the first file could not be written, if any.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

/// Takes away `.NAME.PID.part` where NAME ends as one of `ends`.
fn remove_parts(folder: &Path, ends: &[&str]) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix('.')) else {
            continue;
        };
        let target = rest
            .strip_suffix(".part")
            .and_then(|rest| rest.rsplit_once('.'));
        if target.is_some_and(|(target, pid)| {
            pid.parse::<u32>().is_ok() && ends.iter().any(|end| target.ends_with(end))
        }) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_written_files_go_unless_somebody_writes() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("points/.0a.json.17.part");
        let own = folder.path().join(".notes.17.part");
        std::fs::create_dir(folder.path().join("points")).unwrap();
        std::fs::write(&part, "{").unwrap();
        std::fs::write(&own, "kept").unwrap();
        let first = Store::open(folder.path()).unwrap();
        assert!(!part.exists() && own.exists());
        std::fs::write(&part, "{").unwrap();
        let second = Store::open(folder.path()).unwrap();
        assert!(part.exists(), "the first store may be writing it");
        drop((first, second));
        Store::open(folder.path()).unwrap();
        assert!(!part.exists());
    }

    #[test]
    fn a_page_counts_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(!store.has_page("a"));
        for (text, whole) in [("", false), ("<html>", false), ("<p></html>\n", true)] {
            store.write(&Store::page_name("a"), text).unwrap();
            assert_eq!(store.has_page("a"), whole, "{text}");
        }
        store.forget_page("a");
        assert!(!store.has_page("a"));
    }
}
