//! From hash ids of trace blocks to prompts as runs of engine blocks.

mod arena;
mod interner;

pub use interner::{BlockSizes, PrefixInterner};
