//! A generated trace with the statistics of published tool and agent traffic.

mod generate;
mod lengths;

pub use generate::AgenticTwin;
