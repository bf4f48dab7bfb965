//! What a step time or a KV capacity is asked for.

use std::path::PathBuf;

use crate::backend::VersionRule;
use crate::quant::FormatOverrides;

/// A model on GPUs under a serving framework. [`AicConfig::new`] fills in one GPU and the defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct AicConfig {
    /// The GPU, by full or short name.
    pub system: String,
    /// The framework: `vllm`, `sglang` or `trtllm`.
    pub backend: String,
    /// Release of the framework; none is the one that was measured.
    pub backend_version: Option<String>,
    /// What to do with a release that is not known.
    pub version_rule: VersionRule,
    /// Id of a built-in model, or a directory with a `config.json`.
    pub model: String,
    /// Tensor-parallel size.
    pub tp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Attention data-parallel size.
    pub attention_dp: u32,
    /// Tensor-parallel size of the experts; none follows from the other sizes.
    pub moe_tp: Option<u32>,
    /// Expert-parallel size; none follows from the other sizes.
    pub moe_ep: Option<u32>,
    /// Draft tokens a decode step verifies; 0 without speculative decoding.
    pub nextn: u32,
    /// Number formats that shall not follow from the checkpoint.
    pub formats: FormatOverrides,
    /// Take bfloat16 for prefill attention where the checkpoint suggests fp8 but only bfloat16 was measured. Off, such
    /// a prefill step is an error, as in the reference.
    pub bf16_attention_fallback: bool,
    /// A directory with packed tables to use instead of the built-in ones.
    pub perf_data: Option<PathBuf>,
}

impl AicConfig {
    /// A model on one GPU.
    #[must_use]
    pub fn new(system: &str, backend: &str, model: &str) -> Self {
        Self {
            system: system.to_owned(),
            backend: backend.to_owned(),
            backend_version: None,
            version_rule: VersionRule::Strict,
            model: model.to_owned(),
            tp: 1,
            pp: 1,
            attention_dp: 1,
            moe_tp: None,
            moe_ep: None,
            nextn: 0,
            formats: FormatOverrides::default(),
            bf16_attention_fallback: true,
            perf_data: None,
        }
    }
}
