//! The packed file: one GPU, one framework, every table.
//!
//! ```text
//! file    = "AICP", version u32, payload length u32, payload checksum u64, zstd(payload)
//! payload = strings, head, sources, distributions, axes, slices, rounded values, exact values
//! ```
//! Fixed-width numbers are little-endian; all others are LEB128. Names are indices into `strings`, lists of keys are
//! indices into `axes` (most branches of a grid share theirs). Latencies keep 16 bits of their mantissa (relative
//! error at most 2^-17, see `rounding`), except in tables whose values are subtracted or can be zero, which are exact.
//! Values come last, in the order of the slices, split into byte planes, so that slowly changing bytes lie together.

mod bytes;
mod read;
mod rounding;
mod write;

pub use write::MAX_RELATIVE_ERROR;

use super::TableId;

/// First bytes of a packed file.
const MAGIC: [u8; 4] = *b"AICP";
/// The version written, and the only one read.
const VERSION: u32 = 1;
/// Bytes before the compressed payload.
const HEADER_LEN: usize = 20;
/// Longest payload that is inflated: far above any real file, so that a damaged length cannot exhaust the memory.
const PAYLOAD_MAX: u32 = 1 << 26;

/// Whether a table's values are kept to the last bit: computed scales are differences, often exactly zero, and are
/// subtracted from a multiplication.
fn is_exact(table: TableId) -> bool {
    table == TableId::Computescale
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
