//! Tests of the engines through the crate's public door.

mod accept_length;
mod args;
mod default_rules;
mod driver;
mod fast_equals_literal;
mod fast_on_trace;
mod invariants;
mod log;
mod models;
mod oracle;
mod polynomial;
mod prompts;
mod reference;
mod sglang;
