//! What can be wrong with engine arguments.

use std::fmt::Write as _;

use sim_core::DurationError;
use strsim::levenshtein as edit_distance;

/// Engine arguments that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ArgsError {
    /// Not JSON.
    #[error("engine arguments are not valid JSON: {0}")]
    NotJson(String),
    /// JSON, but no object.
    #[error("engine arguments must be a JSON object, got {0}")]
    NotAnObject(&'static str),
    /// Fields nobody knows.
    #[error("Invalid arguments found in JSON file: {}", listed(.0))]
    UnknownFields(Vec<UnknownField>),
    /// A known field with a value of the wrong JSON type.
    #[error("{field}: expected {expected}, got {found}")]
    WrongType {
        /// The field; a dot leads into an object.
        field: String,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A value out of its range.
    #[error("{field}: Validation error: {why}")]
    OutOfRange {
        /// The field; a dot leads into an object.
        field: String,
        /// The range, and the value.
        why: String,
    },
    /// A word that is none of the known ones.
    #[error("Invalid {field} '{given}': expected {expected}")]
    UnknownWord {
        /// The field.
        field: String,
        /// What is there.
        given: String,
        /// The known words.
        expected: &'static str,
    },
    /// Fields that do not go together.
    #[error("{0}")]
    Conflict(String),
}

/// A field nobody knows, with the known name nearest to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// The name given.
    pub name: String,
    /// What may have been meant.
    pub nearest: Option<&'static str>,
}

impl ArgsError {
    pub(crate) fn duration(field: &str, error: DurationError) -> Self {
        Self::OutOfRange {
            field: field.to_owned(),
            why: error.to_string(),
        }
    }
}

fn listed(fields: &[UnknownField]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let mut text = names.join(", ");
    for field in fields {
        if let Some(nearest) = field.nearest {
            // Writing to a string cannot fail.
            let _ = write!(text, "; did you mean {nearest:?} by {:?}?", field.name);
        }
    }
    text
}

/// The known name that differs least from `given`, if near enough to be meant.
pub(crate) fn nearest(
    given: &str,
    known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let limit = (given.chars().count() / 2).clamp(1, 4);
    known
        .map(|name| (edit_distance(given, name), name))
        .min()
        .filter(|&(distance, _)| distance <= limit)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = || ["block_size", "num_gpu_blocks"].into_iter();
        assert_eq!(nearest("blocksize", known()), Some("block_size"));
        assert_eq!(nearest("num_gpu_block", known()), Some("num_gpu_blocks"));
        assert_eq!(nearest("foo", known()), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
