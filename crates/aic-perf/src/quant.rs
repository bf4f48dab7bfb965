//! Number formats of weights, experts, attention and KV cache.

use std::fmt;
use std::str::FromStr;

use crate::error::AicError;
use crate::nearest::hint;

/// Kinds of arithmetic a GPU has a peak rate for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlopsKind {
    Bf16,
    Int8,
    Fp8,
    Fp4,
}

/// How the weights of matrix multiplications or experts are kept and multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeightFormat {
    /// Two bytes, no quantisation.
    Bfloat16,
    /// fp8 with scales computed for each token.
    Fp8,
    /// fp8 with fixed scales.
    Fp8Static,
    /// fp8 with a scale for each block of weights.
    Fp8Block,
    /// fp8 as the framework does it unasked.
    Fp8Ootb,
    /// int8 weights, bfloat16 arithmetic.
    Int8Wo,
    /// int4 weights, bfloat16 arithmetic.
    Int4Wo,
    /// int8 weights and activations (SmoothQuant).
    Sq,
    /// fp4 in groups of 16 with fp8 scales.
    Nvfp4,
    /// The same weights, bfloat16 arithmetic.
    Nvfp4Wo,
    /// The same weights, bfloat16 arithmetic, as Marlin-like kernels do it.
    W4a16Nvfp4,
    /// int4 weights, fp8 activations; experts only.
    W4afp8,
    /// mxfp4 weights, mxfp8 activations; experts only.
    W4a8Mxfp4Mxfp8,
    /// As before, TensorRT-LLM's kernel inside SGLang; experts only.
    W4a8Mxfp4Mxfp8Trtllm,
    /// mxfp4 weights, bfloat16 arithmetic; experts only.
    W4a16Mxfp4,
    /// As before, CUTLASS kernel inside SGLang; experts only.
    W4a16Mxfp4Cutlass,
}

impl WeightFormat {
    const ALL: [Self; 16] = [
        Self::Bfloat16,
        Self::Fp8,
        Self::Fp8Static,
        Self::Fp8Block,
        Self::Fp8Ootb,
        Self::Int8Wo,
        Self::Int4Wo,
        Self::Sq,
        Self::Nvfp4,
        Self::Nvfp4Wo,
        Self::W4a16Nvfp4,
        Self::W4afp8,
        Self::W4a8Mxfp4Mxfp8,
        Self::W4a8Mxfp4Mxfp8Trtllm,
        Self::W4a16Mxfp4,
        Self::W4a16Mxfp4Cutlass,
    ];

    /// The format's name in tables and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bfloat16 => "bfloat16",
            Self::Fp8 => "fp8",
            Self::Fp8Static => "fp8_static",
            Self::Fp8Block => "fp8_block",
            Self::Fp8Ootb => "fp8_ootb",
            Self::Int8Wo => "int8_wo",
            Self::Int4Wo => "int4_wo",
            Self::Sq => "sq",
            Self::Nvfp4 => "nvfp4",
            Self::Nvfp4Wo => "nvfp4_wo",
            Self::W4a16Nvfp4 => "w4a16_nvfp4",
            Self::W4afp8 => "w4afp8",
            Self::W4a8Mxfp4Mxfp8 => "w4a8_mxfp4_mxfp8",
            Self::W4a8Mxfp4Mxfp8Trtllm => "w4a8_mxfp4_mxfp8_trtllm",
            Self::W4a16Mxfp4 => "w4a16_mxfp4",
            Self::W4a16Mxfp4Cutlass => "w4a16_mxfp4_cutlass",
        }
    }

    /// Bytes of one weight, scales included.
    pub(crate) const fn bytes(self) -> f64 {
        match self {
            Self::Bfloat16 => 2.0,
            Self::Fp8
            | Self::Fp8Static
            | Self::Fp8Block
            | Self::Fp8Ootb
            | Self::Int8Wo
            | Self::Sq => 1.0,
            Self::Nvfp4 | Self::Nvfp4Wo | Self::W4a16Nvfp4 => 0.5625,
            Self::Int4Wo
            | Self::W4afp8
            | Self::W4a8Mxfp4Mxfp8
            | Self::W4a8Mxfp4Mxfp8Trtllm
            | Self::W4a16Mxfp4
            | Self::W4a16Mxfp4Cutlass => 0.5,
        }
    }

    /// The arithmetic it is multiplied in.
    pub(crate) const fn flops(self) -> FlopsKind {
        match self {
            Self::Fp8
            | Self::Fp8Static
            | Self::Fp8Block
            | Self::Fp8Ootb
            | Self::W4afp8
            | Self::W4a8Mxfp4Mxfp8
            | Self::W4a8Mxfp4Mxfp8Trtllm => FlopsKind::Fp8,
            Self::Sq => FlopsKind::Int8,
            Self::Nvfp4 => FlopsKind::Fp4,
            Self::Bfloat16
            | Self::Int8Wo
            | Self::Int4Wo
            | Self::Nvfp4Wo
            | Self::W4a16Nvfp4
            | Self::W4a16Mxfp4
            | Self::W4a16Mxfp4Cutlass => FlopsKind::Bf16,
        }
    }
}

/// Number format of prefill attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttentionFormat {
    /// bfloat16.
    Bfloat16,
    /// fp8.
    Fp8,
}

impl AttentionFormat {
    const ALL: [Self; 2] = [Self::Bfloat16, Self::Fp8];

    /// The format's name in tables and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bfloat16 => "bfloat16",
            Self::Fp8 => "fp8",
        }
    }

    pub(crate) const fn bytes(self) -> f64 {
        match self {
            Self::Bfloat16 => 2.0,
            Self::Fp8 => 1.0,
        }
    }

    pub(crate) const fn flops(self) -> FlopsKind {
        match self {
            Self::Bfloat16 => FlopsKind::Bf16,
            Self::Fp8 => FlopsKind::Fp8,
        }
    }
}

/// Number format of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvFormat {
    /// bfloat16.
    Bfloat16,
    /// int8.
    Int8,
    /// fp8.
    Fp8,
}

impl KvFormat {
    const ALL: [Self; 3] = [Self::Bfloat16, Self::Int8, Self::Fp8];

    /// The format's name in tables and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bfloat16 => "bfloat16",
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
        }
    }

    /// Bytes of one element.
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Self::Bfloat16 => 2,
            Self::Int8 | Self::Fp8 => 1,
        }
    }
}

/// A format by name, letter case aside; an error names what there is.
macro_rules! named_format {
    ($type:ty, $what:literal) => {
        impl FromStr for $type {
            type Err = AicError;

            fn from_str(given: &str) -> Result<Self, AicError> {
                let all = || Self::ALL.iter().map(|format| format.name());
                let given = given.trim();
                Self::ALL
                    .into_iter()
                    .find(|format| format.name().eq_ignore_ascii_case(given))
                    .ok_or_else(|| AicError::UnknownFormat {
                        what: $what,
                        given: given.to_owned(),
                        hint: hint(given, all()),
                        known: all().collect::<Vec<_>>().join(", "),
                    })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named_format!(WeightFormat, "weight format");
named_format!(AttentionFormat, "attention format");
named_format!(KvFormat, "KV cache format");

/// The formats a model runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formats {
    /// Matrix multiplications.
    pub gemm: WeightFormat,
    /// Experts.
    pub moe: WeightFormat,
    /// Prefill attention.
    pub attention: AttentionFormat,
    /// KV cache.
    pub kv_cache: KvFormat,
}

/// Formats set by the user; what is not set follows from the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormatOverrides {
    /// Matrix multiplications.
    pub gemm: Option<WeightFormat>,
    /// Experts.
    pub moe: Option<WeightFormat>,
    /// Prefill attention.
    pub attention: Option<AttentionFormat>,
    /// KV cache.
    pub kv_cache: Option<KvFormat>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in WeightFormat::ALL {
            assert_eq!(format.name().parse::<WeightFormat>().unwrap(), format);
        }
        assert_eq!("FP8".parse::<KvFormat>().unwrap(), KvFormat::Fp8);
    }

    #[test]
    fn unknown_format_names_the_nearest() {
        let message = "fp8_blok".parse::<WeightFormat>().unwrap_err().to_string();
        assert!(message.contains("did you mean \"fp8_block\""), "{message}");
    }
}
