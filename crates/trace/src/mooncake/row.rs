//! The fields of a Mooncake row, as written.

use crate::error::RowProblem;

/// A field that may be written under two names; the first wins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TwoNames<T> {
    pub(super) name: Option<T>,
    pub(super) alias: Option<T>,
}

impl<T: Copy> TwoNames<T> {
    pub(crate) fn get(&self) -> Option<T> {
        self.name.or(self.alias)
    }
}

/// A row; reused from line to line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MooncakeRow {
    pub(super) session: String,
    pub(super) has_session: bool,
    pub(super) timestamp_ms: TwoNames<f64>,
    pub(super) delay_ms: TwoNames<f64>,
    pub(super) input: TwoNames<u64>,
    pub(super) output: TwoNames<u64>,
    pub(super) ids: Vec<u64>,
    pub(super) has_ids: bool,
    pub(super) priority: i32,
}

/// The fields every row must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequiredFields<'a> {
    pub(crate) output_tokens: u32,
    pub(crate) ids: &'a [u64],
}

impl MooncakeRow {
    pub(super) fn clear(&mut self) {
        self.session.clear();
        self.has_session = false;
        self.timestamp_ms = TwoNames::default();
        self.delay_ms = TwoNames::default();
        self.input = TwoNames::default();
        self.output = TwoNames::default();
        self.ids.clear();
        self.has_ids = false;
        self.priority = 0;
    }

    /// Its session, if it names one.
    pub(crate) fn session(&self) -> Option<&str> {
        self.has_session.then_some(self.session.as_str())
    }

    /// When it arrived, in milliseconds.
    pub(crate) fn timestamp_ms(&self) -> Option<f64> {
        self.timestamp_ms.get()
    }

    /// Milliseconds from the end of the turn before.
    pub(crate) fn delay_ms(&self) -> Option<f64> {
        self.delay_ms.get()
    }

    /// Prompt tokens, if written, capped at 2^32 - 1.
    pub(crate) fn input_tokens(&self) -> Option<u32> {
        let cap = |tokens| u32::try_from(tokens).unwrap_or(u32::MAX);
        self.input.get().map(cap)
    }

    /// Urgency; higher is more.
    pub(crate) fn priority(&self) -> i32 {
        self.priority
    }

    /// The fields that must be there.
    pub(crate) fn required(&self) -> Result<RequiredFields<'_>, RowProblem> {
        if !self.has_ids {
            return Err(RowProblem::Missing {
                field: "hash_ids",
                expected: "an array of unsigned integers, one for each trace block of the prompt",
            });
        }
        let Some(output) = self.output.get() else {
            return Err(RowProblem::Missing {
                field: "output_length",
                expected: "the number of tokens to generate",
            });
        };
        let output_tokens = u32::try_from(output).map_err(|_| RowProblem::Invalid {
            field: "output_length",
            why: format!("expected at most {}, got {output}", u32::MAX),
        })?;
        Ok(RequiredFields {
            output_tokens,
            ids: &self.ids,
        })
    }
}
