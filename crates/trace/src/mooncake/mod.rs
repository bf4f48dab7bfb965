//! Mooncake JSON lines: one request a line.

mod fast;
mod full;
mod reader;
mod row;

pub(crate) use full::problem;
pub(crate) use reader::MooncakeReader;
