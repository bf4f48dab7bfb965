//! Measured operator latencies of one GPU and one serving framework, ready for look-up.
//!
//! A packed file holds everything that was resolved when it was packed: which release of the framework, which kernel
//! serves which shape, which of two measurements counts. What is left here are plain tables: [`Grid`], [`Curve`] and
//! [`SiteTable`], found by the key of a slice. Nothing here interpolates; latencies are milliseconds.
//!
//! Names of number formats (`bfloat16`, `fp8_block`, ...) are the data's own spelling.

mod curve;
mod embedded;
mod error;
mod grid;
mod keys;
mod packed;
mod perf_tables;
mod sites;
mod slices;
mod table_id;

pub use curve::Curve;
pub use error::TableError;
pub use grid::{Branch, Grid};
pub use keys::{AttentionKey, MlaModuleKey, MoeShape};
pub use packed::MAX_RELATIVE_ERROR;
pub use perf_tables::{PerfTables, Slice, Source};
pub use sites::SiteTable;
pub use slices::{SliceKey, Slices};
pub use table_id::TableId;
