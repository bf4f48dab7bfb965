//! Integration tests of the planner.

mod cases;
mod predict;
mod ticks;
