//! Integration tests of the planner.

mod cases;
mod config;
mod defaults;
mod predict;
mod properties;
mod robust;
mod speculation;
mod ticks;
