//! Simulated inference engines: schedulers, KV block accounting and speculative decoding.

mod config;

pub use config::{Preemption, SchedulePolicy, SglangConfig, Speculation, VllmConfig};
