//! Integration tests of the planner.

mod predict;
