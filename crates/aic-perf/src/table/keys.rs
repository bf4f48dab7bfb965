//! Typed parts of a slice's key, as the accessors of [`PerfTables`](super::PerfTables) take them.

/// What names a slice of an attention table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionKey<'a> {
    /// Number format of the attention maths; decode tables do not tell it apart.
    pub attn_dtype: &'a str,
    /// Number format of the KV cache.
    pub kv_dtype: &'a str,
    /// Key-value heads on this GPU, 0 where that is the number of query heads.
    pub kv_heads: u32,
    /// Elements in a head.
    pub head_dim: u32,
    /// Sliding window in tokens, 0 for none.
    pub window: u32,
}

/// What names a slice of an MLA block table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MlaModuleKey<'a> {
    /// Number format of the attention maths; decode tables do not tell it apart.
    pub attn_dtype: &'a str,
    /// Number format of the KV cache.
    pub kv_dtype: &'a str,
    /// Number format of the projections.
    pub gemm_dtype: &'a str,
}

/// The shape of an expert layer, which must be matched exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MoeShape {
    /// Experts each token goes to.
    pub topk: u32,
    /// Experts in the layer.
    pub experts: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Intermediate size of one expert.
    pub inter: u32,
    /// Tensor-parallel size of the experts.
    pub tp: u32,
    /// Expert-parallel size.
    pub ep: u32,
}

impl MoeShape {
    pub(super) fn numbers(self) -> [u32; 6] {
        [
            self.topk,
            self.experts,
            self.hidden,
            self.inter,
            self.tp,
            self.ep,
        ]
    }
}
