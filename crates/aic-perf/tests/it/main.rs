//! The public interface against figures of the reference and its own promises.

mod profile;
mod steps;
