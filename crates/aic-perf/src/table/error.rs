//! What can be wrong with a packed table file.

use std::path::PathBuf;

/// Why tables could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// No packed file for this pair is part of this build.
    #[error("no tables for GPU {sku:?} with backend {backend:?} in this build; it has {available}")]
    NotEmbedded {
        /// The GPU asked for.
        sku: String,
        /// The framework asked for.
        backend: String,
        /// The pairs that are there.
        available: String,
    },
    /// A file of the directory the user named could not be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// The bytes are not a packed table file, or a damaged one.
    #[error("{file}: not a valid packed table file at byte {offset}: {reason}")]
    Corrupt {
        /// The file, as far as it is known.
        file: String,
        /// Offset into the inflated contents, in bytes.
        offset: usize,
        /// What was expected there.
        reason: &'static str,
    },
    /// The file is of a format this build does not read.
    #[error("{file}: format version {found}, this build reads {supported}")]
    Version {
        /// The file.
        file: String,
        /// The version it declares.
        found: u32,
        /// The version that can be read.
        supported: u32,
    },
    /// The file is another pair's.
    #[error("{file}: holds tables of {found}, not of {wanted}")]
    Mismatch {
        /// The file.
        file: String,
        /// The pair it declares.
        found: String,
        /// The pair its name promises.
        wanted: String,
    },
    /// Points of a curve or cells of a grid are not strictly ascending, or there are none.
    #[error("{what}: keys must be non-empty and strictly ascending")]
    Unsorted {
        /// The structure that was to be built.
        what: &'static str,
    },
    /// A latency that cannot be one.
    #[error("{what}: latency must be finite and not negative")]
    BadLatency {
        /// The structure that was to be built.
        what: &'static str,
    },
    /// A slice of one layout for a table of another.
    #[error("{table}: a slice of another layout")]
    WrongLayout {
        /// The table.
        table: &'static str,
    },
    /// More data than a packed file can hold.
    #[error("{bytes} bytes of tables are more than a packed file can hold (64 MiB)")]
    TooLarge {
        /// Bytes before compression.
        bytes: usize,
    },
}
