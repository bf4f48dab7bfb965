//! Flags as typed, and configuration arguments as read.

pub(crate) mod config;
pub(crate) mod nearest;
pub(crate) mod perf;
pub(crate) mod raw;
pub(crate) mod sweep;
