//! The subcommands.

mod compare;
mod completions;
mod perf;
mod replay;
mod schema;
mod sweep;
mod trace;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use crate::args::raw::{Cli, Command};
use crate::exit::Failure;

/// Carries a command out; `words` is how it was typed.
pub(crate) fn execute(cli: Cli, words: &[OsString]) -> Result<(), Failure> {
    match cli.command {
        None => replay::example(),
        Some(Command::Replay(args)) => replay::execute(&args),
        Some(Command::Sweep(args)) => sweep::execute(&args, words),
        Some(Command::RunPoint(args)) => sweep::run_point(&args),
        Some(Command::Trace(command)) => trace::execute(&command),
        Some(Command::Compare(args)) => compare::execute(&args),
        Some(Command::Perf(command)) => perf::execute(&command),
        Some(Command::Schema(args)) => schema::execute(&args),
        Some(Command::Completions { shell }) => completions::execute(shell),
    }
}

/// Writes a page and says where; stdout stays for figures.
pub(crate) fn write_page(path: &Path, page: &str) -> Result<(), Failure> {
    crate::output::write_file(path, page).map_err(Failure::failed)?;
    eprintln!("HTML report: {}", path.display());
    Ok(())
}

/// Prints to stdout; a reader that has had enough is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        _ => Ok(()),
    }
}
