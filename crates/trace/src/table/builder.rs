//! Rows become sessions: turns in file order, delays between them.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::trace::{NO_ROW, Row, Trace, anonymous_session};
use crate::error::{RowError, RowProblem, TraceError};
use crate::table::TraceFormat;

/// A row to add.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRow<'a> {
    pub(crate) line: u64,
    pub(crate) session: Option<&'a str>,
    pub(crate) timestamp_ms: Option<f64>,
    pub(crate) delay_ms: Option<f64>,
    pub(crate) input_tokens: Option<u32>,
    pub(crate) output_tokens: u32,
    pub(crate) ids: &'a [u64],
    pub(crate) priority: i32,
}

/// A session that has a name, while more turns of it may come.
#[derive(Clone, Copy, Debug)]
struct OpenSession {
    session: u32,
    last_row: u32,
    last_timestamp_ms: Option<f64>,
}

/// Collects a trace.
pub(crate) struct TraceBuilder {
    trace: Trace,
    open: HashMap<String, OpenSession, FxBuildHasher>,
}

impl TraceBuilder {
    /// A trace called `name` whose hash ids stand for `block_size` tokens.
    pub(crate) fn new(name: String, format: TraceFormat, block_size: u32) -> Self {
        Self {
            trace: Trace {
                name,
                format,
                block_size,
                rows: Vec::new(),
                ids: Vec::new(),
                sessions: Vec::new(),
                names: Vec::new(),
                digest: u64::from(block_size),
            },
            open: HashMap::default(),
        }
    }

    /// Adds a row; on an error nothing is added.
    pub(crate) fn push(&mut self, new: &NewRow<'_>) -> Result<(), TraceError> {
        self.try_push(new).map_err(|problem| match problem {
            None => TraceError::TooLong {
                trace: self.trace.name.clone(),
            },
            Some(problem) => TraceError::Row {
                trace: self.trace.name.clone(),
                error: Box::new(RowError {
                    line: new.line,
                    problem,
                }),
            },
        })
    }

    /// `Err(None)` means that there are too many rows.
    fn try_push(&mut self, new: &NewRow<'_>) -> Result<(), Option<RowProblem>> {
        let number = u32::try_from(self.trace.rows.len())
            .ok()
            .filter(|&number| number < NO_ROW - 1)
            .ok_or(None)?;
        let before = new.session.and_then(|name| self.open.get(name)).copied();
        let turn = before.map_or(0, |before| self.trace.row(before.last_row).turn + 1);
        let name = || {
            new.session
                .map_or_else(|| anonymous_session(new.line), str::to_owned)
        };
        if new.ids.is_empty() {
            return Err(Some(RowProblem::NoInput {
                session: name(),
                turn,
                no_ids: true,
            }));
        }
        let delay_ms = delay(new, before.as_ref(), &name).map_err(Some)?;
        let input_tokens = input_tokens(new, self.trace.block_size).map_err(Some)?;
        let session = before.map_or(self.trace.sessions.len() as u32, |before| before.session);
        let row = Row {
            line: new.line,
            first_id: self.trace.ids.len(),
            ids: new.ids.len() as u32,
            input_tokens,
            output_tokens: new.output_tokens,
            session,
            turn,
            next: NO_ROW,
            priority: new.priority,
            timestamp_ms: new.timestamp_ms,
            delay_ms,
        };
        self.link(number, new, before);
        self.digest(&row, new.ids);
        self.trace.ids.extend_from_slice(new.ids);
        self.trace.rows.push(row);
        Ok(())
    }

    /// Hooks row `number` into its session.
    fn link(&mut self, number: u32, new: &NewRow<'_>, before: Option<OpenSession>) {
        let session = match before {
            Some(before) => {
                self.trace.rows[before.last_row as usize].next = number;
                before.session
            }
            None => {
                self.trace.sessions.push(number);
                self.trace.sessions.len() as u32 - 1
            }
        };
        let Some(name) = new.session else { return };
        let after = OpenSession {
            session,
            last_row: number,
            last_timestamp_ms: new
                .timestamp_ms
                .or(before.and_then(|before| before.last_timestamp_ms)),
        };
        if before.is_none() {
            self.trace.names.push((session, name.to_owned()));
        }
        self.open.insert(name.to_owned(), after);
    }

    fn digest(&mut self, row: &Row, ids: &[u64]) {
        let time = |ms: Option<f64>| ms.map_or(u64::MAX, f64::to_bits);
        let head = [
            time(row.timestamp_ms),
            time(Some(row.delay_ms)),
            u64::from(row.input_tokens) << 32 | u64::from(row.output_tokens),
            u64::from(row.session) << 32 | u64::from(row.turn),
            row.priority as u64,
            u64::from(row.ids),
        ];
        // A multiplication a word: the digest is over every id of the trace.
        for &word in head.iter().chain(ids) {
            self.trace.digest = (self.trace.digest ^ word)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29);
        }
    }

    /// The only row since the last call, with its ids, and whether it names a
    /// session; for those who keep no trace.
    pub(crate) fn take_row(&mut self, ids: &mut Vec<u64>) -> Option<(Row, bool)> {
        let row = self.trace.rows.pop()?;
        let named = !self.trace.names.is_empty();
        ids.clear();
        ids.append(&mut self.trace.ids);
        self.trace.sessions.clear();
        Some((row, named))
    }

    /// The trace.
    ///
    /// # Errors
    /// It has no request.
    pub(crate) fn finish(self) -> Result<Trace, TraceError> {
        if self.trace.rows.is_empty() {
            return Err(TraceError::Empty {
                trace: self.trace.name,
                windowed: false,
            });
        }
        Ok(self.trace)
    }
}

/// Milliseconds a turn waits after the one before it.
fn delay(
    new: &NewRow<'_>,
    before: Option<&OpenSession>,
    name: &dyn Fn() -> String,
) -> Result<f64, RowProblem> {
    let Some(before) = before else {
        let delay_ms = new.delay_ms.unwrap_or(0.0);
        if delay_ms == 0.0 {
            return Ok(0.0);
        }
        return Err(RowProblem::DelayOnFirstTurn {
            session: name(),
            delay_ms,
        });
    };
    let (delay_ms, inferred) = match (new.delay_ms, new.timestamp_ms, before.last_timestamp_ms) {
        (Some(delay), _, _) => (delay, false),
        (None, Some(now), Some(last)) => (now - last, true),
        (None, Some(_), None) => return Err(RowProblem::NoEarlierTimestamp { session: name() }),
        (None, None, _) => (0.0, false),
    };
    if delay_ms.is_finite() && delay_ms >= 0.0 {
        Ok(delay_ms)
    } else {
        Err(RowProblem::InvalidDelay { delay_ms, inferred })
    }
}

/// Prompt tokens: as written, but no more than the hash ids cover.
fn input_tokens(new: &NewRow<'_>, block_size: u32) -> Result<u32, RowProblem> {
    let covered = new.ids.len() as u64 * u64::from(block_size);
    let tokens = new
        .input_tokens
        .map_or(covered, |tokens| covered.min(u64::from(tokens)));
    u32::try_from(tokens)
        .ok()
        .filter(|&tokens| tokens < u32::MAX)
        .ok_or_else(|| RowProblem::Invalid {
            field: "input_length",
            why: format!(
                "a prompt has at most {} tokens, but {} hash ids of {block_size} cover {covered}",
                u32::MAX - 1,
                new.ids.len()
            ),
        })
}
