//! `cargo xtask gate`: instructions of fixed runs, counted by callgrind and
//! compared with those committed in `xtask/gate.json`.
//!
//! A count does not depend on how busy a machine is. Only instructions of our
//! own binary are counted, since the C library picks its copies of memory by the
//! processor; what the compiler makes of the code differs too, so another
//! compiler than the recorded one compares nothing.

mod callgrind;
mod command;
mod counts;
mod runs;

pub(crate) use command::{Args, run};
