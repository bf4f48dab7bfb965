//! `cargo xtask perf-data`: makes the packed table files of `aic-perf` from the published measurements.
//!
//! The measurements come as one Parquet file for each table, GPU, framework and release, with manifests beside them
//! that say which releases stand in for which. Everything that has to be chosen is chosen here, once, so that the
//! simulator reads plain tables: which files feed a table ([`chain`]), which kernel serves an attention shape
//! ([`lanes`]), which of two measurements counts (the first), and which rows any supported model can ask for
//! ([`select`]).

mod attention;
mod catalogue;
mod cells;
mod chain;
mod command;
mod dense;
mod lanes;
mod pack;
mod provenance;
mod roofline;
mod rows;
mod select;
mod sparse;
mod version;
mod wheel;

pub(crate) use command::{Args, run};
