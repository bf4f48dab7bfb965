//! Exit codes, and how errors reach the user.

use std::process::ExitCode;

/// Everything went well.
pub(crate) const DONE: u8 = 0;
/// The run failed.
pub(crate) const FAILED: u8 = 1;
/// The command line, a configuration or an input is wrong.
pub(crate) const BAD_INPUT: u8 = 2;
/// A bound that the user asked for was missed.
pub(crate) const BOUND_MISSED: u8 = 3;

/// An error with the exit code it asks for.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The run failed after it had begun.
    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: FAILED,
            error: error.into(),
        }
    }

    /// A requested bound was missed.
    pub(crate) fn bound_missed(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: BOUND_MISSED,
            error: error.into(),
        }
    }

    /// The code the process ends with: 1, 2 or 3.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Prints the error, its first line first, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.error);
        let mut shown = self.error.to_string();
        for cause in self.error.chain().skip(1) {
            let text = cause.to_string();
            // A message that already quotes its cause need not repeat it.
            if !shown.contains(&text) {
                eprintln!("  because: {text}");
            }
            shown = text;
        }
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Failure {}

/// What goes wrong before a run begins is bad input.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            code: BAD_INPUT,
            error,
        }
    }
}
