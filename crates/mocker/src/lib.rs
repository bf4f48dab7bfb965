//! Simulated inference engines: schedulers, KV block accounting and speculative decoding.

mod can_run;
mod config;
mod step_clock;

pub use config::{Preemption, SchedulePolicy, SglangConfig, Speculation, VllmConfig};
