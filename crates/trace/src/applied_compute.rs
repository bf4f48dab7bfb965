//! Agentic sessions, one a line: a prompt, then turns of response and tool
//! output that the next prompt repeats. There are no arrival times.

use serde::Deserialize;

use crate::error::{RowError, RowProblem, TraceError};
use crate::file::Lines;
use crate::mooncake::problem;
use crate::table::{NewRow, TraceBuilder, TraceOptions};

/// Most hash ids of one session, all prompts together.
const IDS_MAX: u64 = 1 << 26;

/// Marks the ids of shared prefixes; the group is in bits 32 to 47.
const SHARED_ID: u64 = 0xA63E << 48;

#[derive(Deserialize)]
struct SessionRow {
    num_turns: u64,
    input_prompt_length: u64,
    #[serde(default)]
    assistant_response_length: Vec<u64>,
    #[serde(default)]
    tool_call_output_length: Vec<u64>,
    /// Seconds.
    #[serde(default)]
    tool_call_latency: Vec<f64>,
    final_assistant_response_length: u64,
}

/// A streaming reader.
pub(crate) struct AppliedComputeReader {
    lines: Lines,
    options: TraceOptions,
    next_id: u64,
    ids: Vec<u64>,
}

impl AppliedComputeReader {
    pub(crate) fn new(lines: Lines, options: TraceOptions) -> Self {
        Self {
            lines,
            options,
            next_id: 1,
            ids: Vec::new(),
        }
    }

    /// Adds the next session's turns to `builder`; false at the end.
    pub(crate) fn push_next(&mut self, builder: &mut TraceBuilder) -> Result<bool, TraceError> {
        let (line, parsed) = match self.lines.next_line()? {
            None => return Ok(false),
            Some((line, text)) => (line, serde_json::from_slice::<SessionRow>(text)),
        };
        let row = parsed
            .map_err(|error| problem(&error, ""))
            .and_then(|row| row.checked(self.options.block_size));
        match row {
            Ok(row) => self.push_session(line, &row, builder).map(|()| true),
            Err(problem) => Err(self.lines.row_error(RowError { line, problem })),
        }
    }

    fn push_session(
        &mut self,
        line: u64,
        row: &SessionRow,
        builder: &mut TraceBuilder,
    ) -> Result<(), TraceError> {
        let name = format!("applied_compute_agentic_session_{line}");
        let tokens_per_id = u64::from(self.options.block_size);
        let mut input = row.input_prompt_length;
        self.ids.clear();
        self.share(line, input.div_ceil(tokens_per_id));
        for turn in 0..=row.assistant_response_length.len() {
            let delay_ms = turn
                .checked_sub(1)
                .map(|before| row.tool_call_latency[before] * 1000.0);
            let response = row.assistant_response_length.get(turn);
            let output = *response.unwrap_or(&row.final_assistant_response_length);
            while (self.ids.len() as u64) < input.div_ceil(tokens_per_id) {
                self.ids.push(self.next_id);
                self.next_id += 1;
            }
            builder.push(&NewRow {
                line,
                session: Some(&name),
                timestamp_ms: None,
                delay_ms,
                input_tokens: Some(input as u32),
                output_tokens: output as u32,
                ids: &self.ids,
                priority: 0,
            })?;
            let tool_output = row.tool_call_output_length.get(turn).unwrap_or(&0);
            input += output + tool_output;
        }
        Ok(())
    }

    /// The first ids of a prompt of `blocks` ids are the group's.
    fn share(&mut self, line: u64, blocks: u64) {
        let groups = u64::from(self.options.num_prefix_groups);
        if groups == 0 {
            return;
        }
        let group = (line - 1) % groups;
        let shared = (blocks as f64 * self.options.shared_prefix_ratio).round() as u64;
        let id = |index| SHARED_ID | group << 32 | index;
        self.ids.extend((0..shared.min(blocks)).map(id));
    }
}

impl SessionRow {
    /// Whether its numbers agree and are in range.
    fn checked(self, tokens_per_id: u32) -> Result<Self, RowProblem> {
        let invalid = |field, why: String| Err(RowProblem::Invalid { field, why });
        for (field, found) in [
            (
                "assistant_response_length",
                self.assistant_response_length.len(),
            ),
            (
                "tool_call_output_length",
                self.tool_call_output_length.len(),
            ),
            ("tool_call_latency", self.tool_call_latency.len()),
        ] {
            if found as u64 != self.num_turns {
                return Err(RowProblem::Mismatch {
                    field,
                    found,
                    counted_by: "num_turns",
                    expected: self.num_turns,
                });
            }
        }
        if self.input_prompt_length == 0 {
            return invalid(
                "input_prompt_length",
                "expected at least 1, got 0".to_owned(),
            );
        }
        let lengths = self.assistant_response_length.iter();
        let all = lengths
            .chain(&self.tool_call_output_length)
            .chain([
                &self.input_prompt_length,
                &self.final_assistant_response_length,
            ])
            .fold(0_u64, |sum, &length| sum.saturating_add(length));
        if all >= u64::from(u32::MAX) {
            let why = format!("the session has {all} tokens, expected fewer than 2^32 - 1");
            return invalid("input_prompt_length", why);
        }
        let ids = all.div_ceil(u64::from(tokens_per_id)) * (self.num_turns + 1);
        if ids > IDS_MAX {
            let why = format!(
                "the session's prompts have up to {ids} blocks of {tokens_per_id} tokens, \
                 expected at most {IDS_MAX}: use larger trace blocks"
            );
            return invalid("input_prompt_length", why);
        }
        let wrong = |latency: &&f64| !(latency.is_finite() && **latency >= 0.0);
        match self.tool_call_latency.iter().find(wrong) {
            Some(latency) => invalid(
                "tool_call_latency",
                format!("expected a number of at least 0 seconds, got {latency}"),
            ),
            None => Ok(self),
        }
    }
}
