//! Request traces: Mooncake and other formats, streaming readers, synthesis and statistics.

mod error;
mod file;
mod mooncake;
mod prefix;

pub use error::{RowError, RowProblem, TraceError};
pub use prefix::{BlockSizes, PrefixInterner};
