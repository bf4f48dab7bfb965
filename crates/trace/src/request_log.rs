//! Published logs of LLM services as CSV: when a request came, how long prompt
//! and answer were. What prompts had in common is not told, so they share nothing.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::{RowError, RowProblem, TraceError};
use crate::file::Lines;
use crate::table::{NewRow, TraceBuilder};

/// Whose log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The Azure LLM inference dataset (2023, 2024): UTC timestamps.
    Azure,
    /// BurstGPT: seconds; a request without an answer failed and is left out.
    BurstGpt,
}

impl Service {
    /// The columns of time, prompt tokens and answer tokens.
    fn columns(self) -> [&'static str; 3] {
        match self {
            Self::Azure => ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
            Self::BurstGpt => ["Timestamp", "Request tokens", "Response tokens"],
        }
    }
}

/// A streaming reader.
pub(crate) struct RequestLogReader {
    service: Service,
    lines: Lines,
    /// Where the columns are, once the heading was read.
    places: Option<[usize; 3]>,
    first: Option<Timestamp>,
    tokens_per_id: u32,
    next_id: u64,
    ids: Vec<u64>,
}

/// One request.
struct Logged {
    ms: f64,
    input_tokens: u32,
    output_tokens: u32,
}

impl RequestLogReader {
    pub(crate) fn new(service: Service, lines: Lines, tokens_per_id: u32) -> Self {
        Self {
            service,
            lines,
            places: None,
            first: None,
            tokens_per_id,
            next_id: 1,
            ids: Vec::new(),
        }
    }

    /// Adds the next request to `builder`; false at the end.
    pub(crate) fn push_next(&mut self, builder: &mut TraceBuilder) -> Result<bool, TraceError> {
        loop {
            let Some((line, text)) = self.lines.next_line()? else {
                return Ok(false);
            };
            let columns = self.service.columns();
            let row = match self.places {
                None => match heading(columns, text) {
                    Ok(places) => {
                        self.places = Some(places);
                        continue;
                    }
                    Err(problem) => {
                        // Without its heading no line can be read.
                        while self.lines.next_line()?.is_some() {}
                        Err(problem)
                    }
                },
                Some(places) => read(self.service, columns, places, text, &mut self.first),
            };
            match row {
                Ok(row) if row.output_tokens == 0 && self.service == Service::BurstGpt => {}
                Ok(row) if row.input_tokens > 0 => {
                    return self.push(line, &row, builder).map(|()| true);
                }
                Ok(_) => {
                    let problem = RowProblem::Invalid {
                        field: columns[1],
                        why: "expected at least 1, got 0".to_owned(),
                    };
                    return Err(self.lines.row_error(RowError { line, problem }));
                }
                Err(problem) => return Err(self.lines.row_error(RowError { line, problem })),
            }
        }
    }

    fn push(
        &mut self,
        line: u64,
        row: &Logged,
        builder: &mut TraceBuilder,
    ) -> Result<(), TraceError> {
        let blocks = u64::from(row.input_tokens.div_ceil(self.tokens_per_id));
        self.ids.clear();
        self.ids.extend(self.next_id..self.next_id + blocks);
        self.next_id += blocks;
        builder.push(&NewRow {
            line,
            session: None,
            timestamp_ms: Some(row.ms),
            delay_ms: None,
            input_tokens: Some(row.input_tokens),
            output_tokens: row.output_tokens,
            ids: &self.ids,
            priority: 0,
        })
    }
}

/// The fields of a line. No field of these logs holds a comma.
fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    text.split(|&byte| byte == b',').map(|field| {
        let field = field.trim_ascii();
        let quoted = field.strip_prefix(b"\"");
        quoted
            .and_then(|field| field.strip_suffix(b"\""))
            .unwrap_or(field)
    })
}

/// Where the columns are.
fn heading(columns: [&'static str; 3], text: &[u8]) -> Result<[usize; 3], RowProblem> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut places = [0; 3];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = fields(text)
            .position(|name| name == column.as_bytes())
            .ok_or(RowProblem::Missing {
                field: column,
                expected: "a column of that name in the first line",
            })?;
    }
    Ok(places)
}

fn read(
    service: Service,
    columns: [&'static str; 3],
    places: [usize; 3],
    text: &[u8],
    first: &mut Option<Timestamp>,
) -> Result<Logged, RowProblem> {
    let field = |index: usize| {
        let found = fields(text).nth(places[index]);
        found
            .filter(|field| !field.is_empty())
            .ok_or(RowProblem::Missing {
                field: columns[index],
                expected: "a value in every line",
            })
    };
    let invalid = |index: usize, expected: &str, got: &[u8]| RowProblem::Invalid {
        field: columns[index],
        why: format!(
            "expected {expected}, got {:?}",
            String::from_utf8_lossy(got)
        ),
    };
    let tokens = |index: usize| {
        let given = field(index)?;
        std::str::from_utf8(given)
            .ok()
            .and_then(|text| text.parse::<u32>().ok())
            .filter(|&tokens| tokens < u32::MAX)
            .ok_or_else(|| invalid(index, "a whole number of tokens below 2^32 - 1", given))
    };
    let given = field(0)?;
    let text = std::str::from_utf8(given).ok();
    let ms = match service {
        Service::Azure => text.and_then(instant).map(|at| {
            let since = at.duration_since(*first.get_or_insert(at));
            since.as_nanos() as f64 / 1e6
        }),
        Service::BurstGpt => text
            .and_then(|text| text.parse::<f64>().ok())
            .map(|seconds| seconds * 1000.0)
            .filter(|ms| ms.is_finite() && *ms >= 0.0),
    };
    let expected = match service {
        Service::Azure => "a time as 2023-11-16 18:17:03.9799600",
        Service::BurstGpt => "seconds, 0 or more",
    };
    Ok(Logged {
        ms: ms.ok_or_else(|| invalid(0, expected, given))?,
        input_tokens: tokens(1)?,
        output_tokens: tokens(2)?,
    })
}

/// A date and time, in UTC unless it has an offset.
fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<DateTime>().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Trace, TraceError, TraceFormat, TraceOptions};

    proptest! {
        #[test]
        fn any_line_is_a_request_or_an_error_with_its_number(
            format in prop::sample::select(vec![TraceFormat::Azure, TraceFormat::BurstGpt]),
            line in "[-0-9a-zT:.,+ \"\u{e9}]{0,60}",
        ) {
            let heading = match format {
                TraceFormat::Azure => "TIMESTAMP,ContextTokens,GeneratedTokens",
                _ => "Timestamp,Request tokens,Response tokens",
            };
            let good = match format {
                TraceFormat::Azure => "2023-11-16 18:17:03,5,6",
                _ => "3.5,5,6",
            };
            let options = TraceOptions { format, ..TraceOptions::default() };
            let text = format!("{heading}\n{good}\n{line}\n");
            match Trace::from_bytes("log", text, &options) {
                Ok(trace) => prop_assert!((1..=2).contains(&trace.len())),
                Err(TraceError::Row { error, .. }) => prop_assert_eq!(error.line, 3),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}
