//! Simulated inference engines: schedulers, KV block accounting and speculative decoding.
//!
//! [`ParsedArgs`] turns engine arguments into an [`EngineConfig`], a
//! [`Factory`] makes engines of it, and an engine does what the seams of
//! `sim_api` say. How long a step takes is a step-time model's business.
//!
//! * vLLM has two implementations that give the same answers: a fast one that
//!   skips what does not change, and a literal one that goes pass by pass,
//!   request by request and block by block. Speculative decoding draws request
//!   by request and runs on the latter.
//! * SGLang has one, which goes pass by pass.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mocker::{Factory, ParsedArgs, PoolEngines};
//! use sim_api::*;
//! use sim_core::SimTime;
//!
//! /// A millisecond a prompt token, ten a decode step.
//! struct Model;
//!
//! impl StepTimeModel for Model {
//!     fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
//!         let ms = f64::from(step.batch * (step.isl - step.prefix));
//!         Ok(StepTime { ms, coverage: Coverage::Formula })
//!     }
//!     fn decode(&mut self, _: DecodeStep) -> Result<StepTime, StepTimeError> {
//!         Ok(StepTime { ms: 10.0, coverage: Coverage::Formula })
//!     }
//!     fn decode_axis(&self) -> DecodeAxis {
//!         DecodeAxis::ActiveKv
//!     }
//! }
//!
//! #[derive(Default)]
//! struct LastToken(Option<SimTime>);
//!
//! impl EngineSink for LastToken {
//!     fn completed(&mut self, stamp: Stamp, _request: RequestId) {
//!         self.0 = Some(stamp.at);
//!     }
//! }
//!
//! let args = r#"{"block_size": 16, "num_gpu_blocks": 2048}"#;
//! let config = ParsedArgs::from_json(args, Quirks::NONE)?.config;
//! let factory = Factory::aggregated(PoolEngines {
//!     scheduler: config.scheduler(Role::Aggregated, 2048, Quirks::NONE),
//!     gpus: 1,
//!     model: Arc::new(|| Box::new(Model)),
//! });
//! let mut engine = factory.spawn(Pool::Decode, WorkerId(0), Feeds::default());
//! let request = EngineRequest {
//!     id: RequestId(0),
//!     prompt: Prompt::new(40, [].into()),
//!     output_tokens: 3,
//! };
//! assert_eq!(engine.accept(SimTime::ZERO, request), Admission::Queued);
//! let mut sink = LastToken::default();
//! engine.advance(Limit::Through(SimTime::MAX), &mut sink)?;
//! // 40 ms of prefill give the first token, two decode steps the others.
//! assert_eq!(sink.0, Some(SimTime::from_ns(60_000_000)));
//!
//! let slip = ParsedArgs::from_json(r#"{"blocksize": 16}"#, Quirks::NONE).unwrap_err();
//! assert!(slip.to_string().contains("did you mean \"block_size\""));
//! # Ok::<(), Box<dyn std::error::Error>>(())
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
