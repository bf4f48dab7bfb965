//! Which slices are worth packing: those a supported model can ask for.

use aic_perf::table::{SliceKey, TableId};

/// Number formats of dense layers that a model's configuration can resolve to.
const GEMM_DTYPES: [&str; 6] = [
    "bfloat16",
    "fp8",
    "fp8_block",
    "nvfp4",
    "int8_wo",
    "int4_wo",
];
/// Head sizes with their sliding windows (0 for none): everything but gpt-oss has 128.
const HEADS: [(u32, u32); 3] = [(128, 0), (64, 0), (64, 128)];
/// Number formats of experts that a model's configuration can resolve to.
const MOE_DTYPES: [&str; 6] = [
    "bfloat16",
    "fp8",
    "fp8_block",
    "nvfp4",
    "w4a16_mxfp4",
    "int4_wo",
];
/// Spreads of tokens over experts.
const MOE_DISTRIBUTIONS: [&str; 4] = ["power_law_1.01", "power_law_1.2", "balanced", "uniform"];
/// Expert layers of the supported models: experts per token, experts, hidden size, intermediate size.
const MOE_LAYERS: [[u32; 4]; 10] = [
    [8, 128, 2048, 768],  // Qwen3-30B-A3B
    [8, 128, 4096, 1536], // Qwen3-235B-A22B
    [8, 160, 6144, 2560], // Qwen3-Coder-480B-A35B
    [2, 8, 4096, 14336],  // Mixtral-8x7B
    [2, 8, 6144, 16384],  // Mixtral-8x22B
    [4, 32, 2880, 2880],  // gpt-oss-20b
    [4, 128, 2880, 2880], // gpt-oss-120b
    [8, 256, 3072, 1536], // MiniMax-M2
    [8, 256, 7168, 2048], // DeepSeek-V3, -R1
    [8, 384, 7168, 2048], // Kimi-K2
];

/// Can a supported model ask for this slice?
pub(super) fn is_wanted(table: TableId, key: &SliceKey) -> bool {
    let names: Vec<&str> = key.names().collect();
    match table {
        TableId::Gemm => GEMM_DTYPES.contains(&names[0]),
        TableId::ContextAttention | TableId::GenerationAttention => {
            HEADS.contains(&(key.numbers()[1], key.numbers()[2]))
        }
        TableId::Moe | TableId::MoeLowLatency => {
            MOE_LAYERS.iter().any(|layer| layer == &key.numbers()[..4])
                && MOE_DTYPES.contains(&names[0])
                && MOE_DISTRIBUTIONS.contains(&names[1])
        }
        _ => true,
    }
}
