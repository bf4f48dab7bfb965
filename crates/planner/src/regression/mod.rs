//! Linear models of pass time, learned from forward passes.
//!
//! Each model keeps a bounded set of samples spread over the range of its features ([`SampleStore`]), fits pass time
//! by ordinary least squares, and answers two kinds of question: how long would a request wait *now*, and how many
//! requests per second could one engine serve within its targets.

mod agg;
mod decode;
mod hit_rate;
mod linear;
mod moving_average;
mod ols;
mod prefill;
mod samples;

pub use agg::{AggCapacity, AggModel, AggQuestion, BalanceTest};
pub use decode::{DecodeCapacity, DecodeModel, DecodeQuestion};
pub use hit_rate::clamp_hit_rate;
pub use linear::{FitState, LinearSettings};
pub use moving_average::MovingAverage;
pub use ols::{Line, least_squares};
pub use prefill::{PrefillCapacity, PrefillModel};
pub use samples::{Bucket, Sample, SampleStore};
