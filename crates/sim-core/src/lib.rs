//! Simulated time, a ranked event queue, named seeded random streams, an
//! order-free event digest and exact quantiles.
//!
//! Nothing here knows about language models: the crate is the floor every
//! other part of dynosim stands on.
//!
//! ```
//! use sim_core::{EventQueue, SimDuration, SimTime};
//!
//! let mut queue = EventQueue::new();
//! let soon = SimTime::ZERO + SimDuration::try_from_ms(1.5)?;
//! queue.push(soon, 1, "arrival");
//! queue.push(soon, 0, "pass end");
//! assert_eq!(queue.pop().map(|event| event.payload), Some("pass end"));
//! # Ok::<(), sim_core::DurationError>(())
//! ```

mod digest;
mod quantile;
mod queue;
mod rng;
mod time;

pub use digest::EventDigest;
pub use quantile::{WeightedSamples, nearest_rank};
pub use queue::{EventQueue, QueuedEvent};
pub use rng::{named_stream, reference_stream};
pub use time::{DurationError, SimDuration, SimTime};
