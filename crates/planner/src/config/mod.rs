//! The planner's configuration: the fields, how they are read, and what is wrong with them.
//!
//! Input is inline JSON or the path of a JSON or YAML file. Types are read laxly, as users of the reference are used
//! to (`"7"` is an integer, `"true"` a boolean), but what cannot be read, or makes no sense, is an error that names
//! the field.

mod coerce;
mod error;
mod fields;
mod nearest;
mod read;
mod schema;
mod validate;

pub use error::ConfigError;
pub use read::{LoadedConfig, parse_config, read_config};
pub use schema::{
    AicInterpolation, Backend, EngineParallelism, Environment, LoadThresholds, MetricsSource, Mode,
    OptimizationTarget, PlannerConfig, Scheduling, SweepingMode,
};
