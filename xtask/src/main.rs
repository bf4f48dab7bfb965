//! Developer tasks: `cargo xtask TASK`.

mod tidy;

use clap::{Parser, Subcommand};

/// Developer tasks of dynosim.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check crate edges, file lengths, file heads and licences
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Tidy => tidy::run(),
    }
}
