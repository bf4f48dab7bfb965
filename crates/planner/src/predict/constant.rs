//! The forecast is the last value.

use super::history::IdleFilter;
use super::predictor::{PredictError, Predictor};

/// Repeats the last value.
#[derive(Debug, Clone, Default)]
pub(super) struct Constant {
    filter: IdleFilter,
    points: usize,
}

impl Predictor for Constant {
    fn observe(&mut self, value: f64) {
        if self.filter.accept(value).is_some() {
            self.points += 1;
        }
    }

    fn predict_next(&mut self) -> Result<f64, PredictError> {
        Ok(self.filter.last())
    }

    fn reset_idle_skip(&mut self) {
        self.filter.rearm();
    }

    fn last_value(&self) -> f64 {
        self.filter.last()
    }

    fn points(&self) -> usize {
        self.points
    }
}
