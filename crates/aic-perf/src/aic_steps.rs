//! AIC step times behind the seam that engines use.

use std::sync::Arc;

use sim_api::{
    Coverage, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError, StepTimeModel,
};

use crate::decode_row::DecodeRow;
use crate::engine::AicEngine;
use crate::error::AicError;
use crate::polynomial::DECODE_FLOOR_MS;

/// Step times of an [`AicEngine`]: prefill at the means of the batch, decode at the mean context plus the new token,
/// at least 1 ms, and 0 for an empty batch.
///
/// Decode times of a batch are prepared once and shared by all clones of the engine.
#[derive(Debug, Clone)]
pub struct AicStepModel {
    engine: AicEngine,
    row: Option<(u32, Arc<DecodeRow>)>,
}

impl AicStepModel {
    /// The step times of an engine.
    #[must_use]
    pub fn new(engine: AicEngine) -> Self {
        Self { engine, row: None }
    }

    /// The engine behind.
    #[must_use]
    pub fn engine(&self) -> &AicEngine {
        &self.engine
    }
}

impl StepTimeModel for AicStepModel {
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError> {
        let PrefillStep { batch, isl, prefix } = step;
        let time = self.engine.prefill(batch, isl, prefix);
        time.map_err(|error| {
            let step = format!("prefill of {batch} x {isl} tokens, {prefix} in KV");
            no_answer(step, &error)
        })
    }

    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError> {
        let DecodeStep { batch, context, .. } = step;
        if batch == 0 {
            return Ok(StepTime {
                ms: 0.0,
                coverage: Coverage::Formula,
            });
        }
        let row = match &self.row {
            Some((kept, row)) if *kept == batch => row,
            _ => &self.row.insert((batch, self.engine.decode_row(batch))).1,
        };
        let time = row.at(f64::from(context) + 1.0).map_err(|error| {
            let step = format!("decode of {batch} requests at context {context}");
            no_answer(step, &error)
        })?;
        Ok(StepTime {
            ms: time.ms.max(DECODE_FLOOR_MS),
            coverage: time.coverage,
        })
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Context
    }
}

fn no_answer(step: String, error: &AicError) -> StepTimeError {
    StepTimeError {
        step,
        reason: error.to_string(),
    }
}
