//! A whole trace in memory, shared by the runs of a sweep.

mod builder;
mod load;
mod trace;

pub(crate) use builder::{NewRow, TraceBuilder};
pub use load::{ParseFormatError, TraceFormat, TraceOptions};
pub(crate) use trace::{NO_ROW, Row};
pub use trace::{Trace, TraceRequest};
