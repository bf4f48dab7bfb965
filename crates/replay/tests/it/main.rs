//! Integration tests of the run loop with toy parts.

mod flows;
mod toy;
