//! Step-time models without any meaning, whose every input matters.

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

/// A model whose decode times depend on what `axis` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TestModel {
    pub(crate) axis: DecodeAxis,
}

const COVERAGES: [Coverage; 4] = [
    Coverage::Formula,
    Coverage::Measured,
    Coverage::Interpolated,
    Coverage::Extrapolated,
];

/// Between 0.5 and 4.5 ms, without any order.
fn scrambled(words: &[u64]) -> StepTime {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64;
    for &word in words {
        hash = (hash ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 29;
    }
    StepTime {
        ms: 0.5 + (hash >> 11) as f64 / (1_u64 << 51) as f64,
        coverage: COVERAGES[(hash % 4) as usize],
    }
}

impl StepTimeModel for TestModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let PrefillStep { batch, isl, prefix } = step;
        Ok(scrambled(&[
            u64::from(batch),
            u64::from(isl),
            u64::from(prefix),
        ]))
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let kv = [step.active_kv_tokens, step.kv_capacity_tokens];
        let shape = [u64::from(step.batch), u64::from(step.context)];
        Ok(match self.axis {
            DecodeAxis::ActiveKv => scrambled(&kv),
            DecodeAxis::Context => scrambled(&shape),
            DecodeAxis::Both => scrambled(&[kv, shape].concat()),
        })
    }

    fn decode_axis(&self) -> DecodeAxis {
        self.axis
    }
}
