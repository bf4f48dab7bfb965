//! A run over time, in fixed memory, for charts.

mod bins;
mod observer;
mod sketch;
mod ticks;

pub(crate) use bins::{Bin, Bins, PoolLoad};
pub use observer::Timeline;
pub(crate) use sketch::Sketch;
