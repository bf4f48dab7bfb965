//! What a checkpoint says of its quantisation, and the formats that follow from it.

use crate::backend::Backend;
use crate::quant::{AttentionFormat, FormatOverrides, Formats, KvFormat, WeightFormat};

/// Projections that a checkpoint leaves in bfloat16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Exclusions {
    pub(crate) q: bool,
    pub(crate) kv: bool,
    pub(crate) o: bool,
    pub(crate) shared_experts: bool,
}

/// Quantisation as a checkpoint declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeclaredQuant {
    pub(crate) gemm: WeightFormat,
    pub(crate) moe: WeightFormat,
    /// The format of the KV cache, if it says one.
    pub(crate) kv: Option<KvFormat>,
    /// Whether weights or KV cache are such that frameworks compute prefill attention in fp8.
    pub(crate) fp8_attention: bool,
    /// Rows of a weight block that share a scale, where weights are quantised in blocks.
    pub(crate) block_rows: u32,
    pub(crate) excluded: Exclusions,
}

impl DeclaredQuant {
    /// Nothing is quantised.
    pub(crate) const NONE: Self = Self {
        gemm: WeightFormat::Bfloat16,
        moe: WeightFormat::Bfloat16,
        kv: None,
        fp8_attention: false,
        block_rows: 128,
        excluded: Exclusions {
            q: false,
            kv: false,
            o: false,
            shared_experts: false,
        },
    };

    /// The formats a framework runs the checkpoint in; what the user set wins.
    pub(crate) fn formats(&self, backend: Backend, overrides: FormatOverrides) -> Formats {
        let inferred_attention = match (self.fp8_attention, backend) {
            (true, Backend::Sglang | Backend::Trtllm) => AttentionFormat::Fp8,
            (true, Backend::Vllm) | (false, _) => AttentionFormat::Bfloat16,
        };
        let inferred_kv = if self.fp8_attention {
            KvFormat::Fp8
        } else {
            self.kv.unwrap_or(KvFormat::Bfloat16)
        };
        Formats {
            gemm: overrides.gemm.unwrap_or(self.gemm),
            moe: overrides.moe.unwrap_or(self.moe),
            attention: overrides.attention.unwrap_or(inferred_attention),
            kv_cache: overrides.kv_cache.unwrap_or(inferred_kv),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FP8: DeclaredQuant = DeclaredQuant {
        gemm: WeightFormat::Fp8Static,
        fp8_attention: true,
        ..DeclaredQuant::NONE
    };

    #[test]
    fn vllm_keeps_attention_in_bfloat16() {
        let formats = |backend| FP8.formats(backend, FormatOverrides::default());
        assert_eq!(formats(Backend::Vllm).attention, AttentionFormat::Bfloat16);
        assert_eq!(formats(Backend::Vllm).kv_cache, KvFormat::Fp8);
        assert_eq!(formats(Backend::Sglang).attention, AttentionFormat::Fp8);
    }

    #[test]
    fn the_user_wins() {
        let overrides = FormatOverrides {
            attention: Some(AttentionFormat::Fp8),
            kv_cache: Some(KvFormat::Bfloat16),
            ..FormatOverrides::default()
        };
        let formats = FP8.formats(Backend::Vllm, overrides);
        assert_eq!(formats.attention, AttentionFormat::Fp8);
        assert_eq!(formats.kv_cache, KvFormat::Bfloat16);
        assert_eq!(formats.gemm, WeightFormat::Fp8Static);
    }
}
