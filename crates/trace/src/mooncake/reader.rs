//! Rows of a Mooncake file, one at a time.

use super::row::MooncakeRow;
use super::{fast, full};
use crate::error::{RowError, RowProblem, TraceError};
use crate::file::Lines;

/// A streaming reader.
pub(crate) struct MooncakeReader {
    lines: Lines,
    row: MooncakeRow,
}

impl MooncakeReader {
    pub(crate) fn new(lines: Lines) -> Self {
        Self {
            lines,
            row: MooncakeRow::default(),
        }
    }

    /// The file, for messages.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The next row with its line number. After a [`TraceError::Row`] the
    /// reader can be read on.
    pub(crate) fn next_row(&mut self) -> Result<Option<(u64, &MooncakeRow)>, TraceError> {
        let Some((number, line)) = self.lines.next_line()? else {
            return Ok(None);
        };
        match parse(line, &mut self.row) {
            Ok(()) => Ok(Some((number, &self.row))),
            Err(problem) => Err(self.lines.row_error(RowError {
                line: number,
                problem,
            })),
        }
    }
}

fn parse(line: &[u8], row: &mut MooncakeRow) -> Result<(), RowProblem> {
    match fast::parse(line, row) {
        Some(()) => Ok(()),
        None => full::parse(line, row),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(line: &str) -> Result<MooncakeRow, String> {
        let mut row = MooncakeRow::default();
        parse(line.as_bytes(), &mut row).map_err(|problem| problem.to_string())?;
        Ok(row)
    }

    #[test]
    fn aliases_nulls_and_unknown_fields() {
        let row = row(
            r#"{"created_time": 2.5, "timestamp": null, "input_tokens": 9, "output_tokens": 3,
                "hash_ids": [1, 18446744073709551615], "session_id": null, "later": {"x": [1]}}"#,
        )
        .unwrap();
        assert_eq!(row.timestamp_ms(), Some(2.5));
        assert_eq!(row.input_tokens(), Some(9));
        assert_eq!(row.required().unwrap().ids, [1, u64::MAX]);
        assert_eq!(row.session(), None);
    }

    #[test]
    fn wrong_values_name_the_field_and_what_would_be_right() {
        for (line, phrases) in [
            (
                r#"{"output_length": 4.0}"#,
                ["output_length", "whole number"],
            ),
            (r#"{"output_length": -1}"#, ["output_length", "at least 0"]),
            (r#"{"input_length": "9"}"#, ["input_length", "whole number"]),
            (r#"{"hash_ids": [1, -2]}"#, ["hash_ids", "-2"]),
            (r#"{"hash_ids": [1.5]}"#, ["hash_ids", "1.5"]),
            (r#"{"hash_ids": 7}"#, ["hash_ids", "array of unsigned"]),
            (
                r#"{"hash_ids": [18446744073709551616]}"#,
                ["hash_ids", "u64"],
            ),
            (r#"{"timestamp": "now"}"#, ["timestamp", "f64"]),
            (
                r#"{"timestamp": 1e999}"#,
                ["not valid JSON", "out of range"],
            ),
            (r#"{"timestamp": 1"#, ["not valid JSON", "column 15"]),
            (r#"{"timestamp": 1} x"#, ["not valid JSON", "trailing"]),
            ("[1]", ["not a request", "JSON object"]),
            ("5", ["not a request", "JSON object"]),
        ] {
            let why = row(line).unwrap_err();
            for phrase in phrases {
                assert!(why.contains(phrase), "{line}: {why}");
            }
        }
    }

    #[test]
    fn a_huge_output_is_refused_and_a_huge_input_capped() {
        let row = row(r#"{"input_length":9999999999,"output_length":9999999999,"hash_ids":[]}"#);
        let row = row.unwrap();
        assert_eq!(row.input_tokens(), Some(u32::MAX));
        let why = row.required().unwrap_err().to_string();
        assert!(why.contains("4294967295"), "{why}");
    }

    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\"timestamp\"",
        "\"delay\"",
        "\"hash_ids\"",
        "\"session_id\"",
        "\"output_length\"",
        "\"priority\"",
        "\"a\\n\"",
        "\"x\"",
        "0",
        "01",
        "12",
        "-3",
        "1.5",
        "1e3",
        "18446744073709551615",
        "null",
        "true",
        "\u{e9}",
        "\t",
    ];

    proptest! {
        #[test]
        fn where_the_fast_parser_answers_the_full_one_agrees(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..24),
            wrap in any::<bool>(),
        ) {
            let mut line = pieces.concat();
            if wrap {
                line = format!("{{\"hash_ids\":[1, 2],{line}}}");
            }
            let (mut one, mut two) = (MooncakeRow::default(), MooncakeRow::default());
            if fast::parse(line.as_bytes(), &mut one).is_some() {
                prop_assert_eq!(full::parse(line.as_bytes(), &mut two), Ok(()));
                prop_assert_eq!(one, two);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes, &mut MooncakeRow::default());
        }

        #[test]
        fn well_formed_rows_take_the_fast_way(
            timestamp in any::<u32>(), input in any::<u32>(), ids in prop::collection::vec(any::<u32>(), 0..9),
        ) {
            let line = format!(
                "{{\"timestamp\": {timestamp}, \"input_length\": {input}, \"output_length\": 1, \"hash_ids\": {ids:?}}}"
            );
            let mut row = MooncakeRow::default();
            prop_assert!(fast::parse(line.as_bytes(), &mut row).is_some());
            prop_assert_eq!(row.timestamp_ms(), Some(f64::from(timestamp)));
            prop_assert_eq!(row.ids.len(), ids.len());
        }
    }
}
