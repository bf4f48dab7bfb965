//! The packed file: one GPU, one framework, every table.
//!
//! ```text
//! file    = "AICP", version u32, payload length u32, payload checksum u64, zstd(payload)
//! payload = strings, head, sources, distributions, axes, slices, coarse values, fine values, exact values
//! ```
//! Fixed-width numbers are little-endian; all others are LEB128. Names are indices into `strings`, lists of keys are
//! indices into `axes` (most branches of a grid share theirs). Latencies keep 16 or 18 bits of their mantissa (see `rounding`) or
//! all (see `precision`). Values come last, in the order of the slices, split into byte planes, so that slowly changing
//! bytes lie together.

mod bytes;
mod read;
mod rounding;
#[cfg(test)]
mod tests;
mod write;

pub use write::MAX_RELATIVE_ERROR;

use super::{SliceKey, TableId};

/// First bytes of a packed file.
const MAGIC: [u8; 4] = *b"AICP";
/// The version written, and the only one read.
const VERSION: u32 = 1;
/// Bytes before the compressed payload.
const HEADER_LEN: usize = 20;
/// Longest payload that is inflated: far above any real file, so that a damaged length cannot exhaust the memory.
const PAYLOAD_MAX: u32 = 1 << 26;

/// How many bits of a slice's latencies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    /// 16 bits of mantissa.
    Coarse,
    /// 18 bits of mantissa.
    Fine,
    /// All.
    Exact,
}

/// A multiplication with static scales is an FP8 multiplication less the cost of its scales, a difference that
/// magnifies errors. Computed scales are differences themselves, often exactly zero.
fn precision(table: TableId, key: &SliceKey) -> Precision {
    match table {
        TableId::Computescale => Precision::Exact,
        TableId::ScaleMatrix => Precision::Fine,
        TableId::Gemm if key.names().next() == Some("fp8") => Precision::Fine,
        _ => Precision::Coarse,
    }
}

/// A mixing checksum over eight-byte words: finds damage, does not resist intent.
fn checksum(payload: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = payload.len() as u64 ^ ODD;
    for chunk in payload.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word))
            .wrapping_mul(ODD)
            .rotate_left(29);
    }
    state ^ (state >> 32)
}
