//! Request traces: Mooncake and other formats, streaming readers, synthesis and statistics.

mod prefix;

pub use prefix::{BlockSizes, PrefixInterner};
