//! Request traces: Mooncake and other formats, streaming readers, synthesis and statistics.
//!
//! A [`Trace`] is read once and shared. A [`WorkloadSpec`] makes from it (or
//! from a [`Synthetic`] load) what a run is driven by: arrivals in time order,
//! with prompts as runs of engine blocks. All times become whole nanoseconds
//! here.
//!
//! | format | a line |
//! |---|---|
//! | `mooncake` | `{"timestamp": 0, "input_length": 600, "output_length": 8, "hash_ids": [1, 2]}` |
//! | `applied_compute_agentic` | `{"num_turns": 1, "input_prompt_length": 900, "assistant_response_length": [40], "tool_call_output_length": [200], "tool_call_latency": [1.5], "final_assistant_response_length": 90}` |
//! | `azure` | `2023-11-16 18:17:03.9799600,4808,10` below `TIMESTAMP,ContextTokens,GeneratedTokens` |
//! | `burstgpt` | `5,ChatGPT,472,18,490,Conversation log` below `Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type` |
//!
//! ```
//! use std::sync::Arc;
//! use sim_api::{Quirks, Workload};
//! use trace::{Load, Pacing, Trace, TraceOptions, Window, WorkloadSpec};
//!
//! let rows = r#"
//!     {"timestamp": 1500, "input_length": 600, "output_length": 8, "hash_ids": [1, 3]}
//!     {"timestamp": 1000, "input_length": 700, "output_length": 8, "hash_ids": [1, 2]}
//! "#;
//! let trace = Trace::from_bytes("example", rows, &TraceOptions::default())?;
//! let spec = WorkloadSpec {
//!     load: Load::Trace(Arc::new(trace)),
//!     pacing: Pacing::Arrivals { speedup: 2.0 },
//!     window: Window::default(),
//!     engine_block_size: 64,
//!     quirks: Quirks::NONE,
//! };
//! let mut workload = spec.build()?;
//! let mut arrivals = Vec::new();
//! workload.release(sim_core::SimTime::MAX, usize::MAX, &mut arrivals)?;
//! assert_eq!(arrivals[0].prompt.tokens(), 700);
//! assert_eq!(arrivals[1].at.as_ms(), 250.0);
//! assert_eq!(arrivals[0].prompt.shared_blocks(&arrivals[1].prompt), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod applied_compute;
mod cut;
mod error;
mod file;
mod mooncake;
mod prefix;
mod request_log;
mod setting;
mod stats;
mod table;
mod twin;
mod validate;
mod workload;
mod write;

pub use cut::cut;
pub use error::{RowError, RowProblem, TraceError};
pub use prefix::{BlockSizes, PrefixInterner};
pub use setting::{LoadError, SettingError};
pub use stats::{ArrivalStats, LengthStats, PrefixCount, TraceStats};
pub use table::{ParseFormatError, Trace, TraceFormat, TraceOptions, TraceRequest};
pub use twin::AgenticTwin;
pub use validate::{Validation, validate};
pub use workload::{Load, Pacing, Spacing, StreamedTrace, Synthetic, Window, WorkloadSpec};
