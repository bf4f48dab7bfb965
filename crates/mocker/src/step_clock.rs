//! From a step-time model's milliseconds to the nanoseconds a pass takes.

use sim_api::{
    CoverageTally, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};
use sim_core::{DurationError, SimDuration};

/// A step-time model behind the rounding and the speed-up ratios of an engine.
pub(crate) struct StepClock {
    model: Box<dyn StepTimeModel>,
    prefill_speedup: f64,
    decode_speedup: f64,
    coverage: CoverageTally,
}

impl StepClock {
    pub(crate) fn new(
        model: Box<dyn StepTimeModel>,
        prefill_speedup: f64,
        decode_speedup: f64,
    ) -> Self {
        Self {
            model,
            prefill_speedup,
            decode_speedup,
            coverage: CoverageTally::default(),
        }
    }

    /// Duration of a prefill step, counted as busy time.
    pub(crate) fn prefill(&mut self, step: PrefillStep) -> Result<SimDuration, StepTimeError> {
        let (span, time) = self.prefill_uncounted(step)?;
        self.coverage.add(time.coverage, span);
        Ok(span)
    }

    /// Duration of a prefill step and what it rests on, not counted.
    pub(crate) fn prefill_uncounted(
        &mut self,
        step: PrefillStep,
    ) -> Result<(SimDuration, StepTime), StepTimeError> {
        let time = self.model.prefill(step)?;
        let span = scaled(time, self.prefill_speedup).map_err(|error| refused(&step, error))?;
        Ok((span, time))
    }

    /// Duration of a decode step, counted as busy time.
    pub(crate) fn decode(&mut self, step: DecodeStep) -> Result<SimDuration, StepTimeError> {
        let (span, time) = self.decode_uncounted(step)?;
        self.coverage.add(time.coverage, span);
        Ok(span)
    }

    /// Duration of a decode step and what it rests on, not counted.
    pub(crate) fn decode_uncounted(
        &mut self,
        step: DecodeStep,
    ) -> Result<(SimDuration, StepTime), StepTimeError> {
        let time = self.model.decode(step)?;
        let span = scaled(time, self.decode_speedup).map_err(|error| refused(&step, error))?;
        Ok((span, time))
    }

    /// What decode times depend on.
    pub(crate) fn decode_axis(&self) -> DecodeAxis {
        self.model.decode_axis()
    }

    /// Busy time so far.
    pub(crate) fn coverage(&self) -> CoverageTally {
        self.coverage
    }

    /// The tally, for an engine that counts many passes at once.
    pub(crate) fn coverage_mut(&mut self) -> &mut CoverageTally {
        &mut self.coverage
    }
}

fn scaled(time: StepTime, speedup: f64) -> Result<SimDuration, DurationError> {
    SimDuration::try_from_ms(time.ms)?.sped_up(speedup)
}

fn refused(step: &dyn std::fmt::Debug, error: DurationError) -> StepTimeError {
    StepTimeError {
        step: format!("{step:?}"),
        reason: error.to_string(),
    }
}
