//! Step times from a user's own measurements: a CSV file with one step a line ([`GridCsvModel`] has the format).

mod error;
mod model;
mod parse;

pub use error::GridCsvError;
pub use model::GridCsvModel;
