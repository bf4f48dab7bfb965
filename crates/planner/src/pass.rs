//! What the planner reads of a forward pass.

use sim_api::{PassRow, WorkerId};

/// The metrics of one forward pass, as far as scaling decisions use them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    /// Length of the pass in seconds; 0 for a heartbeat or a pass that did no work.
    pub wall_s: f64,
    /// Requests with prompt tokens in the pass.
    pub num_prefill: u64,
    /// Prompt tokens computed by the pass.
    pub prefill_tokens: u64,
    /// Requests that decoded in the pass.
    pub num_decode: u64,
    /// Σ of their contexts, in tokens.
    pub decode_kv_tokens: u64,
    /// Prompt tokens that wait at the end of the pass.
    pub queued_prefill_tokens: u64,
    /// Σ of the contexts of preempted requests that wait at the end of the pass.
    pub queued_decode_kv_tokens: u64,
}

impl Pass {
    /// KV tokens that decode work holds or waits to hold again.
    pub(crate) fn decode_load(&self) -> f64 {
        self.decode_kv_tokens as f64 + self.queued_decode_kv_tokens as f64
    }

    pub(crate) fn of_row(row: &PassRow) -> Self {
        let record = &row.record;
        Self {
            wall_s: row.duration.as_secs(),
            num_prefill: u64::from(record.prefill_lengths.count),
            prefill_tokens: record.prefill_tokens,
            num_decode: u64::from(record.decode_contexts.count),
            decode_kv_tokens: record.decode_contexts.sum,
            queued_prefill_tokens: record.queued_prefill.sum,
            queued_decode_kv_tokens: record.queued_decode.sum,
        }
    }
}

/// The last pass of one scheduler of a worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorkerPass {
    /// The worker.
    pub worker: WorkerId,
    /// Its data-parallel rank; 0 where there is one scheduler.
    pub rank: u32,
    /// The pass.
    pub pass: Pass,
}
