//! Flags as typed, and configuration arguments as read.

pub(crate) mod config;
pub(crate) mod raw;
