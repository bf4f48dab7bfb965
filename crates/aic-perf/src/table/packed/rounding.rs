//! Latencies in 24 bits, rounded to nearest.

/// Codes take this many bits: some of mantissa, the rest of exponent.
const CODE_BITS: u32 = 24;

/// How the bits of a code are split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounding {
    mantissa_bits: u32,
    /// The exponent (as an `f64` stores it) below the smallest kept; code 0 stands for a latency of zero.
    exponent_base: u64,
}

impl Rounding {
    /// 2^-127 to 2^128 ms, relative error at most 2^-17.
    pub(super) const COARSE: Self = Self {
        mantissa_bits: 16,
        exponent_base: 1023 - 128,
    };
    /// 2^-39 to 2^24 ms, relative error at most 2^-19.
    pub(super) const FINE: Self = Self {
        mantissa_bits: 18,
        exponent_base: 1023 - 40,
    };

    /// Mantissa bits that are dropped from an `f64`.
    fn dropped(self) -> u32 {
        52 - self.mantissa_bits
    }

    fn base(self) -> u64 {
        self.exponent_base << self.mantissa_bits
    }

    /// The nearest code, ties to even, or `None` for a latency no code is near: negative, not finite or out of range.
    pub(super) fn encode(self, value: f64) -> Option<u32> {
        if value == 0.0 {
            return Some(0);
        }
        if !value.is_finite() || value < 0.0 {
            return None;
        }
        let bits = value.to_bits();
        let half_up = (1 << (self.dropped() - 1)) - 1 + ((bits >> self.dropped()) & 1);
        let code = ((bits + half_up) >> self.dropped()).checked_sub(self.base())?;
        let code = u32::try_from(code).ok()?;
        (code >> self.mantissa_bits > 0 && code >> CODE_BITS == 0).then_some(code)
    }

    /// The latency of a code below 2^24.
    pub(super) fn decode(self, code: u32) -> f64 {
        if code == 0 {
            return 0.0;
        }
        f64::from_bits((u64::from(code) + self.base()) << self.dropped())
    }
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
    use super::{Rounding, fold_step, unfold_step};
    use proptest::prelude::*;

    #[test]
    fn zero_is_exact_and_bad_latencies_have_no_code() {
        for rounding in [Rounding::COARSE, Rounding::FINE] {
            assert_eq!(
                rounding.encode(0.0).map(|code| rounding.decode(code)),
                Some(0.0)
            );
            for bad in [-1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1e300] {
                assert_eq!(rounding.encode(bad), None, "{bad}");
            }
        }
    }

    #[test]
    fn a_value_between_two_codes_goes_to_the_nearer_and_ties_go_to_even() {
        let step = 1.0 / 65536.0;
        let rounded = |value| {
            Rounding::COARSE
                .encode(value)
                .map(|c| Rounding::COARSE.decode(c))
        };
        assert_eq!(rounded(1.0 + 0.4 * step), Some(1.0));
        assert_eq!(rounded(1.0 + 0.6 * step), Some(1.0 + step));
        assert_eq!(rounded(1.0 + 0.5 * step), Some(1.0));
        assert_eq!(rounded(1.0 + 1.5 * step), Some(1.0 + 2.0 * step));
    }

    proptest! {
        #[test]
        fn rounding_is_within_its_bound_and_stable(value in 1e-9_f64..1e6, fine: bool) {
            let (rounding, bound) = if fine {
                (Rounding::FINE, super::super::MAX_RELATIVE_ERROR / 4.0)
            } else {
                (Rounding::COARSE, super::super::MAX_RELATIVE_ERROR)
            };
            let code = rounding.encode(value).unwrap();
            let back = rounding.decode(code);
            prop_assert!(((back - value) / value).abs() <= bound);
            prop_assert_eq!(rounding.encode(back), Some(code));
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
