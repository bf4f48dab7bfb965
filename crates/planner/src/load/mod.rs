//! Load-based scaling: a reaction to what the workers have in hand now.
//!
//! A replica is added when *every* worker misses its target, and removed when the others could take over its work
//! within a share of the target. Steps are of one replica; only bounds and budgets move further.

mod agg;
mod ballot;
mod disagg;
mod easy;
mod reconcile;
mod sides;
mod single;
