//! How long a prefill or decode step takes on a GPU, and how many KV blocks fit.
//!
//! Four models of step times stand behind the seam [`sim_api::StepTimeModel`]:
//!
//! | model | from | decode depends on |
//! |---|---|---|
//! | [`PolynomialModel`] | fixed coefficients | KV in use |
//! | [`ProfileModel`] | an NPZ file of a profiled engine | KV in use, context |
//! | [`GridCsvModel`] | a CSV file of measured steps | batch, context |
//! | [`AicStepModel`] | a model, a GPU, a framework, and the measured operators that are built in | batch, context |
//!
//! The last one is [`AicEngine`] behind the seam, which also breaks steps down by operator and knows the memory:
//!
//! ```
//! use aic_perf::{AicConfig, AicEngine, KvQuery};
//!
//! let mut config = AicConfig::new("h200", "vllm", "Qwen/Qwen3-32B");
//! config.tp = 4;
//! let engine = AicEngine::new(&config)?;
//! let ttft = engine.prefill_ms(1, 4096, 0)?; // one prompt of 4096 tokens, nothing cached
//! let itl = engine.decode_ms(32, 4096, 2)?; // one step of 32 requests
//! let kv = engine.kv_capacity(KvQuery { block_size: 16, ..KvQuery::default() })?;
//! assert!((100.0..400.0).contains(&ttft) && (5.0..50.0).contains(&itl));
//! assert!(kv.blocks > 50_000);
//! # Ok::<(), aic_perf::AicError>(())
//! ```
//!
//! A step is a list of operators ([`ModelSpec`] and [`Parallelism`] give their shapes, [`Formats`] their number
//! formats). Each is looked up in [`table::PerfTables`], interpolated, or carried beyond the measured range by how well
//! the hardware was used at its end; [`sim_api::Coverage`] tells which. All that does not change from step to step is
//! worked out when the engine is built, and when a batch size is first met.

mod aic_steps;
mod backend;
mod compose;
mod config;
mod decode_row;
mod engine;
mod error;
mod grid_csv;
mod hw;
mod interp;
mod linear;
mod memory;
mod model_spec;
mod nearest;
mod npz;
mod oplist;
mod ops;
#[cfg(test)]
mod oracle;
mod polynomial;
mod profile;
mod quant;
mod sol;
pub mod table;

pub use aic_steps::AicStepModel;
pub use backend::{Backend, VersionRule};
pub use compose::{MixedStep, MixedTime, OpTime};
pub use config::AicConfig;
pub use engine::AicEngine;
pub use error::AicError;
pub use grid_csv::{GridCsvError, GridCsvModel};
pub use hw::GpuSpec;
pub use memory::{KvCapacity, KvQuery};
pub use model_spec::ModelSpec;
pub use oplist::Parallelism;
pub use polynomial::PolynomialModel;
pub use profile::{ProfileError, ProfileModel};
pub use quant::{AttentionFormat, FormatOverrides, Formats, KvFormat, WeightFormat};
