//! The `dynosim` command; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dynosim::main(std::env::args_os())
}
