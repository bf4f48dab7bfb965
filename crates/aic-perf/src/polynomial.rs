//! Step times from a fixed polynomial: the default where no GPU is named.

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

/// Milliseconds for tokens², tokens and 1 of a prefill pass.
const PREFILL: [f64; 3] = [4.209989e-7, 1.518344e-2, 16.50142];
/// Milliseconds for u², u and 1 of a decode pass, u being the share of the KV cache in use.
const DECODE: [f64; 3] = [-25.74, 54.01, 5.74];
/// No decode pass is shorter, in milliseconds.
pub(crate) const DECODE_FLOOR_MS: f64 = 1.0;

/// A quadratic in the new prompt tokens for prefill and in the share of KV in use for decode.
///
/// The coefficients are the reference's, fitted to one 8B model on one GPU. Prefill: t = batch x (isl - prefix) new
/// tokens, 4.209989e-7 t² + 1.518344e-2 t + 16.50142 ms. Decode: u = KV in use / capacity (1 where there is no
/// capacity), -25.74 u² + 54.01 u + 5.74 ms, at least 1 ms, and 0 for an empty batch. It has an answer for all inputs.
///
/// ```
/// use aic_perf::PolynomialModel;
/// use sim_api::{PrefillStep, StepTimeModel};
///
/// let step = PrefillStep { batch: 2, isl: 850, prefix: 0 };
/// let ms = PolynomialModel.prefill(step)?.ms;
/// assert!((ms - 43.5299548).abs() < 1e-6);
/// # Ok::<(), sim_api::StepTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolynomialModel;

impl StepTimeModel for PolynomialModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let tokens = new_tokens(step) as f64;
        let ms = PREFILL[0] * (tokens * tokens) + PREFILL[1] * tokens + PREFILL[2];
        Ok(formula(ms.max(0.0)))
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        if step.batch == 0 {
            return Ok(formula(0.0));
        }
        let used = if step.kv_capacity_tokens == 0 {
            1.0
        } else {
            step.active_kv_tokens as f64 / step.kv_capacity_tokens as f64
        };
        let ms = DECODE[0] * (used * used) + DECODE[1] * used + DECODE[2];
        Ok(formula(ms.max(DECODE_FLOOR_MS)))
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::ActiveKv
    }
}

/// Prompt tokens a prefill step computes, over the whole batch.
pub(crate) fn new_tokens(step: PrefillStep) -> u64 {
    u64::from(step.batch) * u64::from(step.isl.saturating_sub(step.prefix))
}

fn formula(ms: f64) -> StepTime {
    StepTime {
        ms,
        coverage: Coverage::Formula,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(active: u64, capacity: u64) -> f64 {
        let step = DecodeStep {
            batch: 2,
            active_kv_tokens: active,
            context: 850,
            kv_capacity_tokens: capacity,
        };
        PolynomialModel.decode(step).unwrap().ms
    }

    #[test]
    fn decode_follows_the_share_of_kv_in_use() {
        assert!((decode(0, 100) - 5.74).abs() < 1e-12);
        assert!((decode(50, 100) - (5.74 + 27.005 - 6.435)).abs() < 1e-12);
        assert!((decode(7, 0) - 34.01).abs() < 1e-12);
    }

    #[test]
    fn decode_never_falls_below_its_floor() {
        assert_eq!(decode(3, 1), 1.0);
    }

    #[test]
    fn prefix_beyond_the_prompt_leaves_the_constant() {
        let step = PrefillStep {
            batch: 4,
            isl: 10,
            prefix: 11,
        };
        assert!((PolynomialModel.prefill(step).unwrap().ms - 16.50142).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn all_inputs_have_a_finite_answer(
            batch: u32,
            isl: u32,
            prefix: u32,
            active: u64,
            capacity: u64,
        ) {
            let prefill = PolynomialModel.prefill(PrefillStep { batch, isl, prefix }).unwrap().ms;
            prop_assert!(prefill.is_finite() && prefill >= 0.0);
            let ms = decode(active, capacity);
            prop_assert!(ms.is_finite() && ms >= 1.0);
        }
    }
}
