//! A part of a trace file as a file of its own.

use std::path::Path;

use crate::error::TraceError;
use crate::file::{Lines, Replacement};
use crate::setting::LoadError;
use crate::table::{Trace, TraceOptions};
use crate::workload::{Window, choose, turns_from};

/// Copies the rows of `input` inside `window` to `output`, as they are
/// written; returns how many. `output` appears whole or not at all, and is
/// compressed if it ends in `.gz`.
///
/// # Errors
/// The window makes no sense or is empty; the trace is not valid; a file
/// cannot be read or written.
pub fn cut(
    input: &Path,
    output: &Path,
    window: &Window,
    options: &TraceOptions,
) -> Result<u64, LoadError> {
    window.validate()?;
    let trace = Trace::open(input, options)?;
    let chosen = choose(&trace, window)?;
    let mut wanted: Vec<u64> = chosen
        .starts
        .iter()
        .flat_map(|&start| turns_from(&trace, start).take_while(|&row| row < chosen.end_row))
        .map(|row| trace.row(row).line)
        .collect();
    wanted.sort_unstable();
    // A row of some formats is a whole session.
    wanted.dedup();
    Ok(copy(input, output, &wanted)?)
}

fn copy(input: &Path, output: &Path, wanted: &[u64]) -> Result<u64, TraceError> {
    let mut lines = Lines::open(input)?;
    let mut out = Replacement::create(output)?;
    let mut wanted = wanted.iter().copied().peekable();
    let mut copied = 0;
    while let (Some(&next), Some((number, line))) = (wanted.peek(), lines.next_line()?) {
        if number == next {
            out.line(line.trim_ascii_end())?;
            wanted.next();
            copied += 1;
        }
    }
    out.commit()?;
    Ok(copied)
}
