//! Reading a whole trace.

use std::path::Path;
use std::str::FromStr;

use super::builder::{NewRow, TraceBuilder};
use super::trace::Trace;
use crate::applied_compute::AppliedComputeReader;
use crate::error::{RowError, TraceError};
use crate::file::Lines;
use crate::mooncake::MooncakeReader;
use crate::request_log::{RequestLogReader, Service};
use crate::setting::{SettingError, at_least_one, check};

/// How requests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TraceFormat {
    /// One request a line: timestamp, lengths, hash ids.
    #[default]
    Mooncake,
    /// One session a line: turns of response and tool output, no arrival times.
    AppliedComputeAgentic,
    /// The Azure LLM inference dataset: CSV with `TIMESTAMP`, `ContextTokens`,
    /// `GeneratedTokens`. Prompts share nothing.
    Azure,
    /// BurstGPT: CSV with `Timestamp` (seconds), `Request tokens`, `Response
    /// tokens`. Prompts share nothing; requests without an answer are left out.
    BurstGpt,
}

impl TraceFormat {
    /// All of them, the default first.
    pub const ALL: [Self; 4] = [
        Self::Mooncake,
        Self::AppliedComputeAgentic,
        Self::Azure,
        Self::BurstGpt,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mooncake => "mooncake",
            Self::AppliedComputeAgentic => "applied_compute_agentic",
            Self::Azure => "azure",
            Self::BurstGpt => "burstgpt",
        }
    }

    /// Whether its requests say when they arrive.
    pub fn has_arrival_times(self) -> bool {
        self != Self::AppliedComputeAgentic
    }

    /// Whether the reference's version 1.2.1 reads it.
    pub fn is_in_1_2_1(self) -> bool {
        matches!(self, Self::Mooncake | Self::AppliedComputeAgentic)
    }
}

/// An unknown [`TraceFormat`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown trace format {name:?}: expected {known}; did you mean {nearest}?")]
pub struct ParseFormatError {
    name: String,
    known: String,
    nearest: &'static str,
}

impl FromStr for TraceFormat {
    type Err = ParseFormatError;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.map(Self::name);
        match Self::ALL.into_iter().find(|format| format.name() == name) {
            Some(format) => Ok(format),
            None => Err(ParseFormatError {
                name: name.to_owned(),
                nearest: known
                    .into_iter()
                    .min_by_key(|known| strsim::levenshtein(name, known))
                    .unwrap_or_default(),
                known: known.join(", "),
            }),
        }
    }
}

/// How a trace is to be read.
#[derive(Clone, Copy, Debug)]
pub struct TraceOptions {
    /// How requests are written.
    pub format: TraceFormat,
    /// Tokens that one hash id stands for; at least 1.
    pub block_size: u32,
    /// Of agentic sessions: the part of the first prompt that the sessions of
    /// a group share, 0 to 1.
    pub shared_prefix_ratio: f64,
    /// Of agentic sessions: groups, taken in turn; 0 for none.
    pub num_prefix_groups: u32,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            format: TraceFormat::Mooncake,
            block_size: 512,
            shared_prefix_ratio: 0.0,
            num_prefix_groups: 0,
        }
    }
}

impl TraceOptions {
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        at_least_one("trace_block_size", u64::from(self.block_size))?;
        check(
            (0.0..=1.0).contains(&self.shared_prefix_ratio),
            "trace_shared_prefix_ratio",
            "between 0.0 and 1.0",
            self.shared_prefix_ratio,
        )
    }
}

impl Trace {
    /// Reads a file, plain or compressed with gzip or zstd.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn open(path: &Path, options: &TraceOptions) -> Result<Self, TraceError> {
        Self::from_lines(Lines::open(path)?, options)
    }

    /// Reads a trace from memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    ///
    /// ```
    /// use trace::{Trace, TraceOptions};
    /// let row = r#"{"timestamp": 0, "input_length": 600, "output_length": 8, "hash_ids": [1, 2]}"#;
    /// let trace = Trace::from_bytes("example", row, &TraceOptions::default())?;
    /// assert_eq!(trace.requests().next().map(|request| request.input_tokens), Some(600));
    /// # Ok::<(), trace::TraceError>(())
    /// ```
    pub fn from_bytes(
        name: &str,
        bytes: impl Into<Vec<u8>>,
        options: &TraceOptions,
    ) -> Result<Self, TraceError> {
        let bytes = std::io::Cursor::new(bytes.into());
        Self::from_lines(Lines::from_reader(name.to_owned(), bytes)?, options)
    }

    fn from_lines(lines: Lines, options: &TraceOptions) -> Result<Self, TraceError> {
        options.check()?;
        let mut builder =
            TraceBuilder::new(lines.trace().to_owned(), options.format, options.block_size);
        let mut reader = RowReader::new(lines, options);
        while reader.push_next(&mut builder)? {}
        builder.finish()
    }
}

/// Rows of a file in any format.
pub(crate) enum RowReader {
    Mooncake(MooncakeReader),
    AppliedCompute(AppliedComputeReader),
    Log(RequestLogReader),
}

impl RowReader {
    pub(crate) fn new(lines: Lines, options: &TraceOptions) -> Self {
        let log =
            |service, lines| Self::Log(RequestLogReader::new(service, lines, options.block_size));
        match options.format {
            TraceFormat::Azure => log(Service::Azure, lines),
            TraceFormat::BurstGpt => log(Service::BurstGpt, lines),
            TraceFormat::Mooncake => Self::Mooncake(MooncakeReader::new(lines)),
            TraceFormat::AppliedComputeAgentic => {
                Self::AppliedCompute(AppliedComputeReader::new(lines, *options))
            }
        }
    }

    /// Adds the next row to `builder`; false at the end. After a
    /// [`TraceError::Row`] both can be used on.
    pub(crate) fn push_next(&mut self, builder: &mut TraceBuilder) -> Result<bool, TraceError> {
        match self {
            Self::Mooncake(reader) => push_request(reader, builder),
            Self::AppliedCompute(reader) => reader.push_next(builder),
            Self::Log(reader) => reader.push_next(builder),
        }
    }
}

fn push_request(
    reader: &mut MooncakeReader,
    builder: &mut TraceBuilder,
) -> Result<bool, TraceError> {
    let (line, problem) = match reader.next_row()? {
        None => return Ok(false),
        Some((line, row)) => match row.required() {
            Ok(required) => {
                builder.push(&NewRow {
                    line,
                    session: row.session(),
                    timestamp_ms: row.timestamp_ms(),
                    delay_ms: row.delay_ms(),
                    input_tokens: row.input_tokens(),
                    output_tokens: required.output_tokens,
                    ids: required.ids,
                    priority: row.priority(),
                })?;
                return Ok(true);
            }
            Err(problem) => (line, problem),
        },
    };
    Err(reader.lines().row_error(RowError { line, problem }))
}
