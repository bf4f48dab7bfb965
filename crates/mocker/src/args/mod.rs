//! Engine arguments: from the JSON that users write to a checked [`EngineConfig`].

mod error;
mod fields;
mod parse;
mod speculation;

pub use error::ArgsError;
pub use parse::{ParsedArgs, engine_field_names};
