//! A digital twin of LLM serving: configuration to concrete parts, parts to a
//! run, a run to a report.
//!
//! This crate is the only one that knows all parts by name. The binary
//! `dynosim` is [`main`]; programs that want runs without a process use
//! [`Plan`]:
//!
//! ```
//! use dynosim::{Extras, Plan};
//!
//! let plan = Plan::from_flags([
//!     "--input-tokens", "512", "--output-tokens", "32", "--request-count", "20",
//!     "--arrival-interval-ms", "50", "--num-workers", "2",
//! ])?;
//! let finished = plan.run(Extras::default())?;
//! assert_eq!(finished.summary.completed, 20);
//! assert!(finished.summary.ttft.mean > 0.0);
//! # Ok::<(), dynosim::Failure>(())
//! ```

mod args;
mod cmd;
mod exit;
mod output;
mod plan;
mod progress;
mod run;
mod sweep;
mod tick_log;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::raw::Cli;

pub use exit::Failure;
pub use plan::{Plan, Shared};
pub use run::{Extras, Finished};

/// The `dynosim` command with these arguments, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions go to stdout and are no errors.
            let code = if error.use_stderr() {
                exit::BAD_INPUT
            } else {
                exit::DONE
            };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match cmd::execute(cli, &words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
