//! A trace as Mooncake JSON lines.

use std::fmt::Write;
use std::path::Path;

use crate::error::TraceError;
use crate::file::Replacement;
use crate::table::{Row, Trace};

impl Trace {
    /// Writes the trace in the Mooncake format. The file appears whole or not
    /// at all, and is compressed if its name ends in `.gz`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_mooncake(&self, path: &Path) -> Result<(), TraceError> {
        let mut out = Replacement::create(path)?;
        let mut line = String::new();
        for row in self.rows() {
            line.clear();
            self.format_row(row, &mut line);
            out.line(line.as_bytes())?;
        }
        out.commit()
    }

    fn format_row(&self, row: &Row, line: &mut String) {
        line.push('{');
        // Writing into a string cannot fail.
        let mut field = |name: &str, value: &dyn std::fmt::Display| {
            let comma = if line.len() > 1 { ", " } else { "" };
            let _ = write!(line, "{comma}\"{name}\": {value}");
        };
        if let Some(name) = self.written_session(row) {
            field("session_id", &serde_json::Value::String(name));
        }
        if let Some(ms) = row.timestamp_ms {
            field("timestamp", &ms);
        }
        if row.turn > 0 {
            field("delay", &row.delay_ms);
        }
        field("input_length", &row.input_tokens);
        field("output_length", &row.output_tokens);
        if row.priority != 0 {
            field("priority", &row.priority);
        }
        line.push_str(", \"hash_ids\": [");
        for (index, id) in self.ids_of(row).iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let _ = write!(line, "{comma}{id}");
        }
        line.push_str("]}");
    }

    /// The session to write: none for a row that is a session of its own.
    fn written_session(&self, row: &Row) -> Option<String> {
        let start = self.row(self.session_starts()[row.session as usize]);
        let name = self.session_name(start);
        (name != crate::table::anonymous_session(row.line)).then_some(name)
    }
}
