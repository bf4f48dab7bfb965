//! What is wrong with a configuration.

use std::path::PathBuf;

use super::nearest::hint;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither a file nor JSON.
    #[error("planner config {given:?} is neither a valid file path nor valid JSON: {reason}")]
    Unrecognised {
        /// The start of what was given.
        given: String,
        /// What a JSON parser says.
        reason: String,
    },
    /// The file cannot be read.
    #[error("planner config {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not in its format.
    #[error("planner config {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// JSON, but no object.
    #[error("planner config: expected an object of fields, found {found}")]
    NotAnObject {
        /// What it is.
        found: String,
    },
    /// A field that does not exist.
    #[error("planner config: unknown field {field:?}{}", hint(field, known.iter().copied()))]
    UnknownField {
        /// The field, with its parents.
        field: String,
        /// The fields there are.
        known: &'static [&'static str],
    },
    /// A value of the wrong type.
    #[error("planner config: field {field:?}: expected {expected}, found {found}")]
    Type {
        /// The field, with its parents.
        field: String,
        /// What would be right.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A value out of range, or fields that do not go together.
    #[error("planner config: {message}")]
    Value {
        /// The field that should change.
        field: &'static str,
        /// What is wrong, naming the field.
        message: String,
    },
}

impl ConfigError {
    /// The field at fault, if one is.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::UnknownField { field, .. } | Self::Type { field, .. } => Some(field),
            Self::Value { field, .. } => Some(field),
            _ => None,
        }
    }

    pub(super) fn value(field: &'static str, message: impl Into<String>) -> Self {
        Self::Value {
            field,
            message: message.into(),
        }
    }
}
