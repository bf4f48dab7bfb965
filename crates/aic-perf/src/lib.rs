//! How long a prefill or decode step takes on a GPU, and how many KV blocks fit.

pub mod table;
