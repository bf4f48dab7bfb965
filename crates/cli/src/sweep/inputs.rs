//! Fingerprints of the files that a run's arguments name.
//!
//! A stored run is trusted only while whatever decided it is the same. Engine,
//! router and planner configurations stand in the arguments themselves, and a
//! trace in memory has a digest of its rows; further files (measured profiles,
//! warm-up traces, packed tables, traces that are read while they are played)
//! are digested here, each once a process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The argument that names a folder of files.
const TABLES: &str = "perf-data";
/// The file of a folder that describes a model.
const MODEL: &str = "config.json";

/// Fingerprints by path.
#[derive(Debug, Default)]
pub(crate) struct Inputs(Mutex<BTreeMap<PathBuf, String>>);

impl Inputs {
    /// The fingerprint of every file that `arguments` name, the trace only if
    /// `trace` says so.
    pub(crate) fn digests(
        &self,
        arguments: &Map<String, Value>,
        trace: bool,
    ) -> Result<Map<String, Value>> {
        let mut files = Vec::new();
        for (name, value) in arguments {
            match value {
                Value::String(folder) if name == TABLES => files.extend(tables(Path::new(folder))?),
                value if name != "trace" || trace => named(value, &mut files),
                _ => {}
            }
        }
        files
            .into_iter()
            .map(|path| Ok((path.display().to_string(), self.digest(&path)?.into())))
            .collect()
    }

    fn digest(&self, path: &Path) -> Result<String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known.get(path) {
            return Ok(digest.clone());
        }
        let digest = digest(path).with_context(|| format!("cannot read {}", path.display()))?;
        known.insert(path.to_owned(), digest.clone());
        Ok(digest)
    }
}

/// The files that texts within `value` name.
fn named(value: &Value, files: &mut Vec<PathBuf>) {
    match value {
        Value::String(text) => {
            let path = Path::new(text);
            let model = path.join(MODEL);
            files.extend(
                [path.to_owned(), model]
                    .into_iter()
                    .find(|path| path.is_file()),
            );
        }
        Value::Array(list) => list.iter().for_each(|value| named(value, files)),
        Value::Object(map) => map.values().for_each(|value| named(value, files)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The files of a folder, by name.
fn tables(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let digest = hash.finalize();
    Ok(digest[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_count_wherever_arguments_name_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (grid, trace, tables) = (path("grid.csv"), path("t.jsonl"), path("tables"));
        std::fs::write(&grid, "1").unwrap();
        std::fs::write(&trace, "2").unwrap();
        std::fs::create_dir(&tables).unwrap();
        std::fs::write(path("tables/gpu.bin"), "3").unwrap();
        let Value::Object(arguments) = json!({
            "trace": trace, "extra-engine-args": {"planner_profile_data": grid, "x": "vllm"},
            "perf-data": tables, "num-workers": 2,
        }) else {
            unreachable!()
        };
        let digests = |trace| Inputs::default().digests(&arguments, trace).unwrap();
        let before = digests(false);
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            [&grid, &path("tables/gpu.bin")]
        );
        assert!(digests(true).contains_key(&trace));
        std::fs::write(&grid, "other").unwrap();
        let after = digests(false);
        assert_ne!(before[&grid], after[&grid]);
        assert_eq!(
            before[&path("tables/gpu.bin")],
            after[&path("tables/gpu.bin")]
        );
    }
}
