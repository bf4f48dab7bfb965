//! Latencies in 24 bits: 8 of exponent, 16 of mantissa, rounded to nearest.

/// Mantissa bits that are dropped from an `f64`.
const DROPPED: u32 = 36;
/// The smallest exponent kept is 2^-127 ms; the code of 2^-128 stands for zero.
const EXPONENT_BASE: u64 = 1023 - 128;
/// Codes take this many bits.
pub(super) const CODE_BITS: u32 = 24;

/// The nearest code, ties to even, or `None` for a latency no code is near: negative, not finite, or beyond
/// 2^-127 .. 2^127 ms.
pub(super) fn encode(value: f64) -> Option<u32> {
    if value == 0.0 {
        return Some(0);
    }
    if !value.is_finite() || value < 0.0 {
        return None;
    }
    let bits = value.to_bits();
    let half_up = (1 << (DROPPED - 1)) - 1 + ((bits >> DROPPED) & 1);
    let code = ((bits + half_up) >> DROPPED).checked_sub(EXPONENT_BASE << 16)?;
    let code = u32::try_from(code).ok()?;
    (code >> 16 > 0 && code >> CODE_BITS == 0).then_some(code)
}

/// The latency of a code below 2^24.
pub(super) fn decode(code: u32) -> f64 {
    if code == 0 {
        return 0.0;
    }
    f64::from_bits((u64::from(code) + (EXPONENT_BASE << 16)) << DROPPED)
}

/// The step from one code to the next as a small number for small steps of either sign.
pub(super) fn fold_step(from: u32, to: u32) -> u32 {
    let step = to.wrapping_sub(from) << 8;
    let sign = step.cast_signed() >> 31;
    ((step >> 7) ^ sign.cast_unsigned()) & ((1 << CODE_BITS) - 1)
}

/// The code a folded step leads to.
pub(super) fn unfold_step(from: u32, step: u32) -> u32 {
    let signed = (step >> 1) ^ (step & 1).wrapping_neg();
    from.wrapping_add(signed) & ((1 << CODE_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, fold_step, unfold_step};
    use proptest::prelude::*;

    #[test]
    fn zero_is_exact_and_bad_latencies_have_no_code() {
        assert_eq!(encode(0.0).map(decode), Some(0.0));
        for bad in [-1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300] {
            assert_eq!(encode(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_between_two_codes_goes_to_the_nearer_and_ties_go_to_even() {
        let step = 1.0 / 65536.0;
        assert_eq!(encode(1.0 + 0.4 * step).map(decode), Some(1.0));
        assert_eq!(encode(1.0 + 0.6 * step).map(decode), Some(1.0 + step));
        assert_eq!(encode(1.0 + 0.5 * step).map(decode), Some(1.0));
        assert_eq!(encode(1.0 + 1.5 * step).map(decode), Some(1.0 + 2.0 * step));
    }

    proptest! {
        #[test]
        fn rounding_is_within_its_bound_and_stable(value in 1e-9_f64..1e9) {
            let code = encode(value).unwrap();
            let back = decode(code);
            prop_assert!(((back - value) / value).abs() <= super::super::MAX_RELATIVE_ERROR);
            prop_assert_eq!(encode(back), Some(code));
        }

        #[test]
        fn folding_a_step_is_undone(from in 0_u32..1 << 24, to in 0_u32..1 << 24) {
            let step = fold_step(from, to);
            prop_assert!(step < 1 << 24);
            prop_assert_eq!(unfold_step(from, step), to);
        }

        #[test]
        fn small_steps_fold_to_small_numbers(from in 1000_u32..1 << 23, by in -500_i32..500) {
            let step = fold_step(from, from.checked_add_signed(by).unwrap());
            prop_assert!(step <= 1000);
        }
    }
}
