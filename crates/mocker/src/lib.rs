//! Simulated inference engines: schedulers, KV block accounting and speculative decoding.
//!
//! ```
//! use mocker::ParsedArgs;
//! use sim_api::Quirks;
//!
//! let args = ParsedArgs::from_json(r#"{"block_size": 16, "num_gpu_blocks": 2048}"#, Quirks::NONE)?;
//! assert_eq!(args.config.block_tokens, 16);
//! let slip = ParsedArgs::from_json(r#"{"blocksize": 16}"#, Quirks::NONE).unwrap_err();
//! assert!(slip.to_string().contains("did you mean \"block_size\""));
//! # Ok::<(), mocker::ArgsError>(())
//! ```

mod args;
mod blocks;
mod can_run;
mod config;
mod engine_config;
mod factory;
mod literal;
mod sglang;
mod spec_decode;
mod step_clock;
mod stepped;
mod vllm;

pub use args::{ArgsError, ParsedArgs, engine_field_names};
pub use config::{Preemption, SchedulePolicy, SglangConfig, Speculation, VllmConfig};
pub use engine_config::{
    AicArgs, DEFAULT_BLOCKS, EngineConfig, EngineKind, MemoryArgs, SglangArgs, TransferArgs,
    TransferTiming,
};
pub use factory::{Factory, Implementation, ModelMaker, PoolEngines, Scheduler};
pub use vllm::{StepTimes, VllmEngine};
