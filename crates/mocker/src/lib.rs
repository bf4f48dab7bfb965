//! Simulated inference engines: schedulers, KV block accounting and speculative decoding.
