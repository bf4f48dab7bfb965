//! Which crate may know which.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// For each crate of the workspace, the crates of the workspace that it may
/// depend on (`dev-dependencies` aside).
const ALLOWED: &[(&str, &[&str])] = &[
    ("sim-core", &[]),
    ("sim-api", &["sim-core"]),
    ("trace", &["sim-core", "sim-api"]),
    ("aic-perf", &["sim-core", "sim-api"]),
    ("mocker", &["sim-core", "sim-api"]),
    ("kv-router", &["sim-core", "sim-api"]),
    ("planner", &["sim-core", "sim-api"]),
    ("replay", &["sim-core", "sim-api"]),
    ("report", &["sim-core", "sim-api"]),
    (
        "cli",
        &[
            "sim-core",
            "sim-api",
            "trace",
            "aic-perf",
            "mocker",
            "kv-router",
            "planner",
            "replay",
            "report",
        ],
    ),
];

/// Crates that are no part of the product and may depend on all of it.
const TOOLS: &[&str] = &["benches", "xtask"];

/// What `cargo metadata` says of the workspace and, with `dependencies`, of all
/// that it depends on (which needs every package of the lock file at hand).
pub(crate) fn metadata(root: &Path, dependencies: bool) -> Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]);
    if dependencies {
        // Packages for other systems are not linked here and need not be fetched.
        command.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    } else {
        command.arg("--no-deps");
    }
    let output = command
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

/// The packages of the metadata that belong to the workspace.
pub(crate) fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    packages(metadata).filter(|package| package["source"].is_null())
}

/// All packages of the metadata.
pub(crate) fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Arrows that point the wrong way.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let names: Vec<&str> = members(metadata)
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut complaints = Vec::new();
    for package in members(metadata) {
        let Some(name) = package["name"].as_str() else {
            continue;
        };
        if TOOLS.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            complaints.push(format!(
                "{name}: a crate that the architecture does not name"
            ));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"] != "dev") {
            let Some(on) = dependency["name"].as_str() else {
                continue;
            };
            if names.contains(&on) && !allowed.contains(&on) {
                complaints.push(format!("{name} must not depend on {on}"));
            }
        }
    }
    complaints
}
