//! A step-time model for tests, by the formula of the reference's default one.

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

pub(crate) struct Polynomial;

fn time(ms: f64) -> Result<StepTime, StepTimeError> {
    Ok(StepTime {
        ms,
        coverage: Coverage::Formula,
    })
}

impl StepTimeModel for Polynomial {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let new = step.isl.saturating_sub(step.prefix);
        let tokens = (u64::from(step.batch) * u64::from(new)) as f64;
        time(4.209_989e-7 * (tokens * tokens) + 1.518_344e-2 * tokens + 16.50142)
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let used = step.active_kv_tokens as f64 / step.kv_capacity_tokens as f64;
        time((-25.74 * (used * used) + 54.01 * used + 5.74).max(1.0))
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::ActiveKv
    }
}
