//! Tests of the engines through the crate's public door.

mod args;
mod default_rules;
mod driver;
mod invariants;
mod polynomial;
mod prompts;
mod reference;
