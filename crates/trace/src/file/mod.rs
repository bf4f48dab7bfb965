//! Trace files: read as lines, plain, gzip and zstd; written whole or not at all.

mod decompress;
mod lines;
mod replace;

pub(crate) use lines::Lines;
pub(crate) use replace::Replacement;
