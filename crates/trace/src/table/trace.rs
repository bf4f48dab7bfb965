//! The rows of a trace, their sessions and their hash ids.

use crate::error::{RowError, RowProblem, TraceError};
use crate::table::TraceFormat;

/// In [`Row::next`]: the session's last turn.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// A request as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) first_id: usize,
    pub(crate) ids: u32,
    pub(crate) input_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) session: u32,
    pub(crate) turn: u32,
    /// The next turn of its session.
    pub(crate) next: u32,
    pub(crate) priority: i32,
    pub(crate) timestamp_ms: Option<f64>,
    pub(crate) delay_ms: f64,
}

/// A parsed trace: requests in file order, grouped into sessions.
///
/// It is plain data; put it into an `Arc` and give it to as many runs as
/// wanted, with any engine block size.
#[derive(Debug)]
pub struct Trace {
    pub(super) name: String,
    pub(super) format: TraceFormat,
    pub(super) block_size: u32,
    pub(super) rows: Vec<Row>,
    pub(super) ids: Vec<u64>,
    /// First row of each session.
    pub(super) sessions: Vec<u32>,
    /// Names of the sessions that have one, by session.
    pub(super) names: Vec<(u32, String)>,
    pub(super) digest: u64,
}

/// A request of a [`Trace`].
#[derive(Clone, Copy, Debug)]
pub struct TraceRequest<'a> {
    /// Its line, from 1; blank lines count.
    pub line: u64,
    /// Its session, by first appearance.
    pub session: u32,
    /// Its turn in the session, from 0.
    pub turn: u32,
    /// When it arrived, in milliseconds of the trace's own clock.
    pub timestamp_ms: Option<f64>,
    /// Milliseconds from the end of the turn before.
    pub delay_ms: f64,
    /// Prompt tokens (ISL).
    pub input_tokens: u32,
    /// Tokens to generate (OSL).
    pub output_tokens: u32,
    /// Ids of the prompt's trace blocks.
    pub hash_ids: &'a [u64],
    /// Higher is more urgent.
    pub priority: i32,
}

impl Trace {
    /// The file it comes from, or what it was generated as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format it was read from.
    pub fn format(&self) -> TraceFormat {
        self.format
    }

    /// Tokens that one hash id stands for.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    /// How many requests it holds; at least 1.
    #[expect(clippy::len_without_is_empty, reason = "a trace is never empty")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many sessions it holds; a request without a session is one.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Whether some session has more than one turn.
    pub fn is_multi_turn(&self) -> bool {
        self.sessions.len() < self.rows.len()
    }

    /// A digest of what it says: equal for equal requests, however they are
    /// written or compressed.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Its requests, in file order.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = TraceRequest<'_>> + '_ {
        self.rows.iter().map(|row| TraceRequest {
            line: row.line,
            session: row.session,
            turn: row.turn,
            timestamp_ms: row.timestamp_ms,
            delay_ms: row.delay_ms,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            hash_ids: self.ids_of(row),
            priority: row.priority,
        })
    }

    pub(crate) fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// First rows of the sessions.
    pub(crate) fn session_starts(&self) -> &[u32] {
        &self.sessions
    }

    pub(crate) fn ids_of(&self, row: &Row) -> &[u64] {
        &self.ids[row.first_id..row.first_id + row.ids as usize]
    }

    /// The name of the session of `row`, for messages.
    pub(crate) fn session_name(&self, row: &Row) -> String {
        let named = self
            .names
            .binary_search_by_key(&row.session, |&(session, _)| session);
        match named {
            Ok(index) => self.names[index].1.clone(),
            Err(_) => anonymous_session(row.line),
        }
    }

    /// An error about `row`.
    pub(crate) fn row_error(&self, row: &Row, problem: RowProblem) -> TraceError {
        TraceError::Row {
            trace: self.name.clone(),
            error: Box::new(RowError {
                line: row.line,
                problem,
            }),
        }
    }
}

/// What a row without a session is called.
pub(crate) fn anonymous_session(line: u64) -> String {
    format!("request_{line}")
}
