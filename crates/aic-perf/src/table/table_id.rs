//! Which tables there are, and what names a slice in each.

/// The tables a packed file can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TableId {
    /// Matrix multiplication: names `[gemm_dtype]`; sites (n, k), curves over m.
    Gemm = 0,
    /// Cost of per-token activation scales: names `[dtype]`; axes m, k.
    Computescale = 1,
    /// Static activation quantisation: names `[dtype]`; axes m, k.
    ScaleMatrix = 2,
    /// Prefill attention: names `[attn_dtype, kv_dtype]`, numbers `[kv_heads, head_dim, window]`; axes heads,
    /// sequence length, batch. `kv_heads` is 0 where it equals the number of heads.
    ContextAttention = 3,
    /// Decode attention: names `[kv_dtype]`, numbers as above; axes heads, batch, context length.
    GenerationAttention = 4,
    /// Prefill MLA kernel: names `[dtype, kv_dtype]`; axes heads, sequence length, batch.
    ContextMla = 5,
    /// Decode MLA kernel: names `[kv_dtype]`; axes heads, batch, context length.
    GenerationMla = 6,
    /// Whole prefill MLA block: names `[dtype, kv_dtype, gemm_dtype]`, numbers `[native_heads]`; axes as the kernel's.
    MlaContextModule = 7,
    /// Whole decode MLA block: names `[kv_dtype, gemm_dtype]`, numbers `[native_heads]`; axes as the kernel's.
    MlaGenerationModule = 8,
    /// Batched multiplication around decode MLA: names `[dtype, op]`, numbers `[heads]`; over tokens.
    MlaBmm = 9,
    /// Experts: names `[dtype, distribution]`, numbers as in [`MoeShape`](super::MoeShape); over tokens.
    Moe = 10,
    /// Experts, kernels for few tokens: as [`TableId::Moe`].
    MoeLowLatency = 11,
    /// The framework's own all-reduce: numbers `[gpus]`; over elements.
    CustomAllreduce = 12,
    /// NCCL collectives (half precision): names `[op]`, numbers `[gpus]`; over elements.
    Nccl = 13,
}

/// How a table's slices are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Scattered (n, k) sites with curves over m.
    Sites,
    /// A nested grid with this many axes.
    Grid(usize),
    /// One axis.
    Curve,
}

impl TableId {
    /// Every table, in the order of the packed file.
    pub const ALL: [Self; 14] = [
        Self::Gemm,
        Self::Computescale,
        Self::ScaleMatrix,
        Self::ContextAttention,
        Self::GenerationAttention,
        Self::ContextMla,
        Self::GenerationMla,
        Self::MlaContextModule,
        Self::MlaGenerationModule,
        Self::MlaBmm,
        Self::Moe,
        Self::MoeLowLatency,
        Self::CustomAllreduce,
        Self::Nccl,
    ];

    /// The table's name in the source data.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gemm => "gemm",
            Self::Computescale => "computescale",
            Self::ScaleMatrix => "scale_matrix",
            Self::ContextAttention => "context_attention",
            Self::GenerationAttention => "generation_attention",
            Self::ContextMla => "context_mla",
            Self::GenerationMla => "generation_mla",
            Self::MlaContextModule => "mla_context_module",
            Self::MlaGenerationModule => "mla_generation_module",
            Self::MlaBmm => "mla_bmm",
            Self::Moe => "moe",
            Self::MoeLowLatency => "moe_low_latency",
            Self::CustomAllreduce => "custom_allreduce",
            Self::Nccl => "nccl",
        }
    }

    pub(crate) const fn layout(self) -> Layout {
        match self {
            Self::Gemm => Layout::Sites,
            Self::Computescale | Self::ScaleMatrix => Layout::Grid(2),
            Self::ContextAttention
            | Self::GenerationAttention
            | Self::ContextMla
            | Self::GenerationMla
            | Self::MlaContextModule
            | Self::MlaGenerationModule => Layout::Grid(3),
            Self::MlaBmm | Self::Moe | Self::MoeLowLatency | Self::CustomAllreduce | Self::Nccl => {
                Layout::Curve
            }
        }
    }

    /// How many names and how many whole numbers a slice's key has.
    pub(crate) const fn key_parts(self) -> (usize, usize) {
        match self {
            Self::Gemm | Self::Computescale | Self::ScaleMatrix | Self::GenerationMla => (1, 0),
            Self::ContextAttention => (2, 3),
            Self::GenerationAttention => (1, 3),
            Self::ContextMla => (2, 0),
            Self::MlaContextModule => (3, 1),
            Self::MlaGenerationModule | Self::MlaBmm => (2, 1),
            Self::Moe | Self::MoeLowLatency => (2, 6),
            Self::CustomAllreduce => (0, 1),
            Self::Nccl => (1, 1),
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|id| *id as u8 == number)
    }
}
