//! The literal vLLM engine: pass by pass, request by request, block by block.
//!
//! It does exactly what the rules say in the order in which they say it, and
//! is kept as the oracle that the fast engine is compared with. Where it
//! could be clever it is plain.

mod emission;
mod kv_pool;
mod request;
mod schedule;
#[cfg(test)]
mod tests;
mod vllm;

pub(crate) use vllm::LiteralVllm;
