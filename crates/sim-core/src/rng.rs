//! Named random streams.
//!
//! A stream is keyed by (seed, purpose, id), so a new draw in one part of a
//! simulation never shifts the draws of another.

use rand_chacha::rand_core::SeedableRng;
use rand_chacha::{ChaCha8Rng, ChaCha12Rng};

use crate::digest::mix;

/// A stream of our own: ChaCha8 keyed by the run's `seed`, what it is for,
/// and the entity it belongs to.
///
/// ```
/// use rand_chacha::rand_core::Rng;
/// let mut a = sim_core::named_stream(1, "router tie", 0);
/// let mut b = sim_core::named_stream(1, "router tie", 1);
/// assert_ne!(a.next_u64(), b.next_u64());
/// ```
pub fn named_stream(seed: u64, purpose: &str, id: u64) -> ChaCha8Rng {
    let purpose = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut key = [0_u8; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([
        seed,
        purpose,
        id,
        mix(seed ^ purpose.rotate_left(17) ^ id.rotate_left(41)),
    ]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The stream the reference draws from where it is seeded: ChaCha12, seeded
/// from one word.
pub fn reference_stream(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn the_reference_stream_starts_with_the_published_words() {
        let mut stream = reference_stream(42);
        assert_eq!(stream.next_u64(), 9_713_269_763_989_775_522);
        assert_eq!(stream.next_u64(), 10_011_513_049_433_592_189);
    }

    #[test]
    fn the_first_draws_of_a_named_stream_are_pinned() {
        let first = |seed, purpose, id| named_stream(seed, purpose, id).next_u64();
        assert_eq!(first(1, "arrival", 0), first(1, "arrival", 0));
        assert_ne!(first(1, "arrival", 0), first(2, "arrival", 0));
        assert_ne!(first(1, "arrival", 0), first(1, "length", 0));
        assert_eq!(first(1, "arrival", 0), 6_853_132_048_743_187_542);
    }
}
