//! Reports of whole runs, told as event streams.

mod cases;
mod jsonl;
mod naive;
mod schema;
mod stream;
