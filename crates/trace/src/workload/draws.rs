//! Random draws as the reference makes them from its seeded stream.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;

/// A whole number below `limit`.
///
/// The top half of one 32-bit word times `limit`. Where a further word could
/// carry into that half, one is drawn and its top half added.
pub(super) fn uniform_below(stream: &mut ChaCha12Rng, limit: u32) -> u32 {
    let split = |product: u64| ((product >> 32) as u32, product as u32);
    let mut product = || split(u64::from(stream.next_u32()) * u64::from(limit));
    let (value, low) = product();
    if low > limit.wrapping_neg() {
        let (more, _) = product();
        return value + u32::from(low.checked_add(more).is_none());
    }
    value
}

/// A number in [0, 1) with 53 random bits.
pub(super) fn unit(stream: &mut ChaCha12Rng) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The gap to the next of Poisson arrivals with the mean gap `mean_ms`.
pub(super) fn exponential_ms(stream: &mut ChaCha12Rng, mean_ms: f64) -> f64 {
    -mean_ms * (1.0 - unit(stream)).ln()
}

#[cfg(test)]
mod tests {
    use sim_core::reference_stream;

    use super::*;

    #[test]
    fn groups_of_seed_42_are_the_reference_s() {
        for (groups, expected) in [
            (4, &[0, 2, 0, 2, 3, 2, 3, 1, 3, 0, 2, 1][..]),
            (2, &[0, 1, 0, 1, 1, 1, 1, 0]),
            (3, &[0, 1, 0, 1, 2, 1, 2, 1]),
            (8, &[1, 4, 1, 4, 6, 5, 7, 3]),
        ] {
            let mut stream = reference_stream(42);
            let drawn: Vec<u32> = expected
                .iter()
                .map(|_| uniform_below(&mut stream, groups))
                .collect();
            assert_eq!(drawn, expected);
        }
    }

    #[test]
    fn one_group_is_always_the_first_and_the_largest_limit_works() {
        let mut stream = reference_stream(1);
        assert_eq!(uniform_below(&mut stream, 1), 0);
        for _ in 0..1_000 {
            assert!(uniform_below(&mut stream, u32::MAX) < u32::MAX);
        }
    }
}
