//! The public interface against figures of the reference and its own promises.

mod checkpoints;
mod inputs;
mod profile;
mod steps;
