//! Everything that is wrong with a trace file, not only the first thing.

use std::path::Path;

use crate::error::{RowError, RowProblem, TraceError};
use crate::file::Lines;
use crate::table::{RowReader, TraceBuilder, TraceOptions};

/// More problems than this are counted, not kept.
const KEPT: usize = 1_000;

/// What was found in a trace file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validation {
    /// Requests that are right.
    pub requests: u64,
    /// Sessions they belong to.
    pub sessions: u64,
    /// Rows that are wrong, in order; at most 1,000 of them.
    pub problems: Vec<RowError>,
    /// How many rows are wrong.
    pub problem_count: u64,
    /// Sessions without a start: they can only be replayed under a
    /// concurrency cap. At most 1,000.
    pub untimed: Vec<RowError>,
    /// Requests without input or output, which engines reject.
    pub impossible: u64,
    /// Whether arrivals are in file order.
    pub in_order: bool,
}

impl Validation {
    /// Whether the file can be replayed.
    pub fn is_valid(&self) -> bool {
        self.problem_count == 0 && self.requests > 0
    }
}

/// Reads all of `path` and says what is wrong with it.
///
/// # Errors
/// The file cannot be read (on), or has no rows at all.
pub fn validate(path: &Path, options: &TraceOptions) -> Result<Validation, TraceError> {
    options.check()?;
    let lines = Lines::open(path)?;
    let name = lines.trace().to_owned();
    let mut builder = TraceBuilder::new(name, options.format, options.block_size);
    let mut reader = RowReader::new(lines, options);
    let mut found = Validation::default();
    loop {
        match reader.push_next(&mut builder) {
            Ok(true) => {}
            Ok(false) => break,
            Err(TraceError::Row { error, .. }) => {
                found.problem_count += 1;
                if found.problems.len() < KEPT {
                    found.problems.push(*error);
                }
            }
            Err(other) => return Err(other),
        }
    }
    let trace = match builder.finish() {
        Ok(trace) => trace,
        Err(_) if found.problem_count > 0 => return Ok(found),
        Err(empty) => return Err(empty),
    };
    found.requests = trace.len() as u64;
    found.sessions = trace.sessions() as u64;
    let never =
        |request: &crate::TraceRequest<'_>| request.input_tokens == 0 || request.output_tokens == 0;
    found.impossible = trace.requests().filter(never).count() as u64;
    let starts = || trace.session_starts().iter().map(|&row| trace.row(row));
    found.in_order = starts()
        .filter_map(|row| row.timestamp_ms)
        .is_sorted_by(|one, two| one <= two);
    found.untimed = starts()
        .filter(|row| row.timestamp_ms.is_none())
        .take(KEPT)
        .map(|row| RowError {
            line: row.line,
            problem: RowProblem::NoTimestamp {
                session: trace.session_name(row),
            },
        })
        .collect();
    Ok(found)
}
