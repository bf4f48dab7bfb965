//! Developer tasks: `cargo xtask TASK`.

mod bench;
mod gate;
mod guide;
#[cfg(feature = "perf-data")]
mod perf_data;
mod release;
mod sweep;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

/// Developer tasks of the workspace.
#[derive(Debug, Parser)]
#[command(name = "xtask")]
enum Task {
    /// Check crate edges, file lengths, file heads and licences.
    Tidy,
    /// Measure CPU seconds and memory of whole runs, beside the reference where it is given.
    Bench(bench::Args),
    /// Count the instructions of fixed runs and compare them with the committed counts.
    Gate(gate::Args),
    /// Sweep the start-up time of engines, as the planner guide does.
    Sweep(sweep::Args),
    /// Pack the published measurements into the table files of aic-perf.
    #[cfg(feature = "perf-data")]
    PerfData(perf_data::Args),
    /// Pack the published measurements (needs a build with `--features perf-data`).
    #[cfg(not(feature = "perf-data"))]
    PerfData {
        /// Whatever the task takes in a build that has it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Task::parse() {
        Task::Tidy => tidy::run()?,
        Task::Bench(args) => bench::run(&args)?,
        Task::Gate(args) => return gate::run(&args),
        Task::Sweep(args) => return Ok(sweep::run(&args)),
        #[cfg(feature = "perf-data")]
        Task::PerfData(args) => perf_data::run(&args)?,
        #[cfg(not(feature = "perf-data"))]
        Task::PerfData { rest } => anyhow::bail!(
            "this build has no Parquet reader; run `cargo run --release -p xtask --features perf-data -- perf-data {}`",
            rest.join(" ")
        ),
    }
    Ok(ExitCode::SUCCESS)
}
