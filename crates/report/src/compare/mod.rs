//! Runs side by side, from their JSON reports.

mod bound;
mod metric;
mod run;
mod side_by_side;

pub use bound::{FailOn, Miss, ParseFailOnError};
pub use run::{CompareError, ComparedRun};
pub use side_by_side::{compare_table, compare_value};
