//! How long a prefill or decode step takes on a GPU, and how many KV blocks fit.

mod polynomial;
pub mod table;

pub use polynomial::PolynomialModel;
