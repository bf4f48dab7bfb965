//! The cost of a request on one worker, in KV blocks.

/// What makes up a cost. Lower costs are better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CostTerms {
    /// Prompt tokens to be prefilled, the cached ones of this request
    /// included; 0 if prefill does not count.
    pub prefill_tokens: f64,
    /// Tokens of a block, above 0.
    pub block_tokens: f64,
    /// Blocks that caches take off the prefill.
    pub credit: f64,
    /// Weight of what is left of the prefill.
    pub prefill_scale: f64,
    /// Blocks in use with this request.
    pub active_blocks: f64,
}

impl CostTerms {
    /// `prefill_scale * max(0, prefill_tokens / block_tokens - credit) +
    /// active_blocks`: a partial block counts by its share, and credit never
    /// pays for blocks in use.
    pub(crate) fn cost(&self) -> f64 {
        let prefill = (self.prefill_tokens / self.block_tokens - self.credit).max(0.0);
        // Scales may be as great as numbers get; costs stay finite.
        (self.prefill_scale * prefill + self.active_blocks).min(f64::MAX)
    }
}
