//! The task: builds, runs every row as often as asked, prints the table.

use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use anyhow::{Context, Result};

use super::measure;
use super::rows::{Row, all};
use super::table::{Measured, markdown};

/// Arguments of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Trace to replay, in Mooncake's format; the generated workload if none is given
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Runs of dynosim a row; the others run once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only rows whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Version of the step-time tables, one that the reference has too
    #[arg(long, value_name = "VERSION", default_value = "0.24.0")]
    aic_backend_version: String,
    /// Virtual environment of the reference
    #[arg(long, value_name = "VENV", requires = "reference_script")]
    reference: Option<PathBuf>,
    /// Script that runs the reference's replay: `VENV/bin/python SCRIPT VENV TRACE FLAGS`
    #[arg(long, value_name = "SCRIPT", requires = "reference")]
    reference_script: Option<PathBuf>,
    /// Newest native engine: `BINARY TRACE WORKERS BLOCK_SIZE NUM_GPU_BLOCKS`
    #[arg(long, value_name = "BINARY")]
    peer: Option<PathBuf>,
}

/// Measures and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    let dynosim = crate::release::dynosim()?;
    let folder = tempfile::tempdir()?;
    let trace = match &args.trace {
        Some(path) => path
            .canonicalize()
            .with_context(|| path.display().to_string())?,
        None => twin(&dynosim, folder.path())?,
    };
    let rows = all(&args.aic_backend_version)?;
    let mut measured = Vec::new();
    for row in rows.iter().filter(|row| row.name.contains(&args.only)) {
        eprintln!("{}", row.name);
        measured.push(measure_row(row, args, &dynosim, &trace, folder.path())?);
    }
    print!("{}", markdown(&measured));
    Ok(())
}

/// Writes the generated workload, so that all programs can read it.
fn twin(dynosim: &Path, folder: &Path) -> Result<PathBuf> {
    let path = folder.join("trace.jsonl");
    let mut command = Command::new(dynosim);
    command.args(["trace", "synth", "--twin", "toolagent", "--output"]);
    measure::run(command.arg(&path), folder)?;
    Ok(path)
}

fn measure_row(
    row: &Row,
    args: &Args,
    dynosim: &Path,
    trace: &Path,
    folder: &Path,
) -> Result<Measured> {
    let mut ours = Vec::new();
    for _ in 0..args.runs {
        let mut command = Command::new(dynosim);
        command.arg("replay").arg(trace).args(&row.flags);
        command.args(["--quiet", "--no-wall-clock"]);
        if row.compat {
            command.args(["--compat", "1.2.1"]);
        }
        ours.push(measure::run(&mut command, folder)?);
    }
    let reference = match (&args.reference, &args.reference_script) {
        (Some(venv), Some(script)) if row.compat => {
            let venv = absolute(venv)?;
            let mut command = Command::new(venv.join("bin/python"));
            command.arg(absolute(script)?).arg(&venv).arg(trace);
            Some(measure::run(command.args(&row.flags), folder)?)
        }
        _ => None,
    };
    let native = match (&args.peer, row.native) {
        (Some(binary), Some(deployment)) => {
            let mut command = Command::new(absolute(binary)?);
            command.arg(trace).args(deployment.map(|n| n.to_string()));
            Some(measure::run(&mut command, folder)?)
        }
        _ => None,
    };
    Ok(Measured {
        name: row.name,
        ours,
        reference,
        native,
    })
}
