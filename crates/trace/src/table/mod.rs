//! A whole trace in memory, shared by the runs of a sweep.

mod builder;
mod load;
mod trace;

pub(crate) use builder::{NewRow, TraceBuilder};
pub(crate) use load::RowReader;
pub use load::{ParseFormatError, TraceFormat, TraceOptions};
pub(crate) use trace::{NO_ROW, Row, anonymous_session};
pub use trace::{Trace, TraceRequest};
