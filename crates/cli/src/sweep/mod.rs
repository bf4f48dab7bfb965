//! Many what-ifs at once: points of a grid, run in parallel into a store.
//!
//! A [`SweepSpec`] expands to [`Case`]s, each a set of replay arguments and, with
//! repeats, one [`RunSpec`] a seed. Runs share parsed traces and step-time
//! models, finish in any order, and are told in case order. A [`Store`] keeps a
//! finished run for good, so a sweep that was killed goes on where it stopped.

mod case;
mod execute;
mod inputs;
mod results;
mod spec;
mod store;
mod values;

pub(crate) use case::{Case, RunSpec};
pub(crate) use execute::{Common, Outcomes, below_bound, different_runs, run_all, run_one};
pub(crate) use results::Results;
pub(crate) use spec::{Combine, SweepSpec, read_spec};
pub(crate) use store::Store;
pub(crate) use values::parse_assignment;
