//! A setting of a workload that makes no sense.

use std::fmt;

use crate::error::TraceError;

/// A setting out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {expected}, got {got}")]
pub struct SettingError {
    /// The setting.
    pub field: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What it is.
    pub got: String,
}

/// A workload cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A setting is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The trace does not fit the settings.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The trace's format has no arrival times.
    #[error(
        "trace format {format} requires replay_concurrency: its sessions have no arrival times"
    )]
    NeedsConcurrency {
        /// The format.
        format: &'static str,
    },
}

/// `Err` unless `holds`.
pub(crate) fn check(
    holds: bool,
    field: &'static str,
    expected: &'static str,
    got: impl fmt::Display,
) -> Result<(), SettingError> {
    if holds {
        return Ok(());
    }
    Err(SettingError {
        field,
        expected,
        got: got.to_string(),
    })
}

pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), SettingError> {
    let holds = value.is_finite() && value > 0.0;
    check(holds, field, "a finite positive number", value)
}

pub(crate) fn not_negative(field: &'static str, value: f64) -> Result<(), SettingError> {
    let holds = value.is_finite() && value >= 0.0;
    check(holds, field, "a finite number of at least 0", value)
}

pub(crate) fn at_least_one(field: &'static str, value: u64) -> Result<(), SettingError> {
    check(value >= 1, field, "at least 1", value)
}
