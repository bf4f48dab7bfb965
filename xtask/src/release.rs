//! The release binary, for tasks that measure it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Builds `dynosim` in release and says where it is.
pub(crate) fn dynosim() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(crate::tidy::root())
        .args(["build", "--release", "--locked", "--package", "cli"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cargo build")?;
    ensure!(output.status.success(), "dynosim does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| executable(&message))
        .context("cargo names no executable")
}

fn executable(message: &Value) -> Option<PathBuf> {
    let binary = message["target"]["name"] == "dynosim";
    let path = message["executable"].as_str().filter(|_| binary)?;
    Some(path.into())
}
