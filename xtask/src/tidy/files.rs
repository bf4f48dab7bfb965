//! Length and head of source files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Lines of a source file, at most.
const MAX_LINES: usize = 600;

/// Files that are too long or do not say what they are for.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for folder in ["crates", "benches", "xtask"] {
        for file in rust_files(&root.join(folder))? {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let name = file.strip_prefix(root).unwrap_or(&file).display();
            let lines = text.lines().count();
            if lines > MAX_LINES {
                complaints.push(format!("{name}: {lines} lines, at most {MAX_LINES}"));
            }
            if !text.starts_with("//!") {
                complaints.push(format!(
                    "{name}: does not begin by saying what it is for (//!)"
                ));
            }
        }
    }
    Ok(complaints)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
