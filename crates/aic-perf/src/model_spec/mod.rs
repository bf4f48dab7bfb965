//! What has to be known of a model: its dimensions and how it is quantised.

mod bundled;
mod declared;
mod hf_config;
mod hf_quant;
mod lookup;

pub(crate) use declared::{DeclaredQuant, Exclusions};
pub use lookup::ModelSpec;
pub(crate) use lookup::{Family, MlaDims};
