//! Runs side by side, from their JSON reports.

mod bound;
mod history;
mod metric;
mod run;
mod side_by_side;

pub use bound::{FailOn, Miss, ParseFailOnError};
#[cfg(test)]
pub(crate) use history::Held;
pub(crate) use history::PoolHistory;
pub use run::{CompareError, ComparedRun};
pub(crate) use side_by_side::{best, cell, plain, rows, verdicts};
pub use side_by_side::{compare_table, compare_value};
