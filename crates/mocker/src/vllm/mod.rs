//! The vLLM engine: exact to the nanosecond, at a cost per change instead of
//! per pass and request.
//!
//! A running request that gets one token a pass needs no look: its progress
//! follows from the number of the pass ([`decoders`]). Passes in which nothing
//! else happens are one *segment* ([`segment`]), whatever their number. All
//! other passes ([`pass`], [`emission`]) look at the requests that compute their
//! prompt, begin a block, or come or go. KV blocks are accounted for by runs
//! ([`kv_runs`]).

mod bursts;
mod completions;
mod crossings;
mod decoders;
mod emission;
mod engine;
mod inactive;
mod kv_runs;
mod lookahead;
mod outcomes;
mod pass;
mod plan;
mod queue;
mod request;
mod schedule;
mod segment;
mod state;
mod step_table;

pub use engine::VllmEngine;
pub use step_table::StepTimes;
