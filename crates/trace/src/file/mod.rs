//! Trace files as lines: plain, gzip and zstd.

mod decompress;
mod lines;

pub(crate) use lines::Lines;
