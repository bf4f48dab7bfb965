//! `dynosim completions`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::raw::Cli;
use crate::exit::Failure;

pub(crate) fn execute(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dynosim", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
