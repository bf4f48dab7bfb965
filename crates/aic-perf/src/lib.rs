//! How long a prefill or decode step takes on a GPU, and how many KV blocks fit.

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
