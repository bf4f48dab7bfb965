//! What can be wrong with a trace: always with the file, the line and the field.

use std::fmt;
use std::io;

use crate::setting::SettingError;

/// A trace cannot be read, or holds no runnable workload.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened.
    #[error("cannot open trace {trace}: {source}")]
    Open {
        /// The file.
        trace: String,
        /// Why.
        source: io::Error,
    },
    /// The path names a directory.
    #[error("cannot open trace {trace}: it is a directory, expected a file of JSON lines")]
    Directory {
        /// The path.
        trace: String,
    },
    /// The file cannot be read on; a compressed file may be cut.
    #[error("cannot read trace {trace} beyond line {line}: {source}")]
    Read {
        /// The file.
        trace: String,
        /// The last line that was read whole; 0 before the first.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// A row is no request.
    #[error("{trace}: {error}")]
    Row {
        /// The file.
        trace: String,
        /// Which row, and what is wrong with it.
        error: Box<RowError>,
    },
    /// There is no row, or none in the chosen window.
    #[error("trace {trace} did not contain any requests{}", if *.windowed { " in the chosen window: widen --from, --to or --limit" } else { "" })]
    Empty {
        /// The file.
        trace: String,
        /// Whether a window was chosen.
        windowed: bool,
    },
    /// More requests than can be numbered.
    #[error("trace {trace} has more than 4294967294 requests: cut it with --limit")]
    TooLong {
        /// The file.
        trace: String,
    },
    /// A setting of the reader is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The result cannot be written.
    #[error("cannot write trace {trace}: {source}")]
    Write {
        /// The file.
        trace: String,
        /// Why.
        source: io::Error,
    },
}

/// A row of a trace that is no request.
#[derive(Clone, Debug, PartialEq)]
pub struct RowError {
    /// Its line, from 1; blank lines count.
    pub line: u64,
    /// What is wrong.
    pub problem: RowProblem,
}

/// What can be wrong with a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowProblem {
    /// It is no JSON, as far as `column`.
    NotJson {
        /// Column of the byte that does not belong, from 1.
        column: usize,
        /// What the JSON reader says.
        why: String,
    },
    /// It is JSON, but no object.
    NotAnObject {
        /// What it is.
        why: String,
    },
    /// The line is longer than any row could be.
    LineTooLong {
        /// The longest accepted line, in bytes.
        limit: usize,
    },
    /// A field that must be there is not.
    Missing {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A field holds what it cannot.
    Invalid {
        /// The field.
        field: &'static str,
        /// What it holds, and what it should.
        why: String,
    },
    /// The first turn of a session waits for nothing.
    DelayOnFirstTurn {
        /// The session.
        session: String,
        /// The delay in milliseconds.
        delay_ms: f64,
    },
    /// A delay that is negative or no number.
    InvalidDelay {
        /// The delay in milliseconds.
        delay_ms: f64,
        /// Whether it is a difference of timestamps.
        inferred: bool,
    },
    /// A later turn has a timestamp, but no earlier turn has.
    NoEarlierTimestamp {
        /// The session.
        session: String,
    },
    /// The prompt is empty.
    NoInput {
        /// The session.
        session: String,
        /// The turn, from 0.
        turn: u32,
        /// Whether the row has no hash ids at all.
        no_ids: bool,
    },
    /// A session has no start, and the trace's own times are wanted.
    NoTimestamp {
        /// The session.
        session: String,
    },
    /// A time that is too far from the first to be simulated.
    TooLate {
        /// The field.
        field: &'static str,
        /// Milliseconds since the first arrival.
        ms: f64,
    },
    /// Numbers of a row that contradict each other.
    Mismatch {
        /// The field.
        field: &'static str,
        /// How many values it has.
        found: usize,
        /// The field that says how many it should have.
        counted_by: &'static str,
        /// How many.
        expected: u64,
    },
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace line {}{}", self.line, self.problem)
    }
}

impl std::error::Error for RowError {}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { column, why } => {
                write!(f, " is not valid JSON: {why} at column {column}")
            }
            Self::NotAnObject { why } => write!(f, " is not a request: {why}"),
            Self::LineTooLong { limit } => {
                write!(
                    f,
                    " is longer than {limit} bytes: expected one JSON object a line"
                )
            }
            Self::Missing { field, expected } => {
                write!(f, " is missing {field}: expected {expected}")
            }
            Self::Invalid { field, why } => write!(f, " has invalid {field}: {why}"),
            Self::DelayOnFirstTurn { session, delay_ms } => write!(
                f,
                " sets delay on the first turn of session {session}: expected none or 0, got {delay_ms}"
            ),
            Self::InvalidDelay { delay_ms, inferred } => {
                write!(f, " has invalid delay {delay_ms}: expected at least 0 ms")?;
                if *inferred {
                    f.write_str(
                        "; it is the timestamp less the one of an earlier turn of the session",
                    )?;
                }
                Ok(())
            }
            Self::NoEarlierTimestamp { session } => write!(
                f,
                " has a timestamp, but no earlier turn of session {session} has one: \
                 expected a delay, or a timestamp on the first turn"
            ),
            Self::NoInput {
                session,
                turn,
                no_ids,
            } => write!(
                f,
                ": session {session} turn {turn} must have a positive input_length{}",
                if *no_ids {
                    ", but hash_ids is empty"
                } else {
                    ""
                }
            ),
            Self::NoTimestamp { session } => write!(
                f,
                " has no timestamp: trace mode requires first_arrival_timestamp_ms for session \
                 {session}; give it one, or use --replay-concurrency"
            ),
            Self::TooLate { field, ms } => write!(
                f,
                " has invalid {field}: {ms} ms after the first arrival is beyond 584 years"
            ),
            Self::Mismatch {
                field,
                found,
                counted_by,
                expected,
            } => write!(
                f,
                " has invalid {field}: length {found} does not match {counted_by} {expected}"
            ),
        }
    }
}
