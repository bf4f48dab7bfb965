//! What can be wrong with a table of step times.

use std::path::PathBuf;

/// Why a table of step times cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridCsvError {
    /// The file cannot be read.
    #[error("step times {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// A line is of no use.
    #[error("step times {}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Steps are missing between which to interpolate.
    #[error("step times {}: {reason}", path.display())]
    TooFew {
        /// The file.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
}
