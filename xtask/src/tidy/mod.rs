//! Style and architecture as checks: run by `cargo xtask tidy` and as a test.

mod arrows;
mod files;
mod licences;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// All complaints about the workspace.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let root = root();
    let mut all = arrows::check(&arrows::metadata(&root, false)?);
    match arrows::metadata(&root, true) {
        Ok(metadata) => all.extend(licences::check(&metadata)),
        Err(error) => eprintln!("licences not checked, packages are missing: {error:#}"),
    }
    all.extend(files::check(&root)?);
    Ok(all)
}

/// Fails with all complaints, if there are any.
pub(crate) fn run() -> Result<()> {
    let complaints = complaints()?;
    if complaints.is_empty() {
        return Ok(());
    }
    bail!(
        "{} complaints:\n  {}",
        complaints.len(),
        complaints.join("\n  ")
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let complaints = super::complaints().unwrap();
        assert!(complaints.is_empty(), "\n  {}", complaints.join("\n  "));
    }
}
