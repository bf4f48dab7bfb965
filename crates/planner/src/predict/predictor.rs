//! The seam between the planner and its forecasting models: the trait, its error and what a fit tells of itself.

use std::fmt;

/// A one-step-ahead forecaster of a series sampled once per throughput interval.
///
/// Values that are not finite count as 0. Zeros before the first non-zero value are not part of the series: a
/// service that has not been used yet says nothing about its traffic.
pub trait Predictor: fmt::Debug + Send {
    /// Appends the value of the window that has just ended.
    fn observe(&mut self, value: f64);

    /// Forecasts the next window, in the unit of the observed values; always finite.
    ///
    /// Without any value it is 0. Asking again before the next [`observe`](Self::observe) gives the same answer.
    ///
    /// # Errors
    /// [`PredictError::NotFinite`] where the model has no finite forecast and no last value to fall back on.
    fn predict_next(&mut self) -> Result<f64, PredictError>;

    /// Skips zeros again until the next non-zero value (after a warm-up the live service starts idle).
    fn reset_idle_skip(&mut self);

    /// The value observed last, 0 if there is none.
    fn last_value(&self) -> f64;

    /// How many values the model holds.
    fn points(&self) -> usize;

    /// What the last fit chose, for the models that fit.
    fn fit(&self) -> Option<FitSummary> {
        None
    }
}

/// Why there is no forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The model overflowed on values near the end of the range of `f64`.
    #[error("the {model} predictor has no finite forecast: its observed values are too large")]
    NotFinite {
        /// The predictor's name in the configuration.
        model: &'static str,
    },
}

/// The scale on which a model is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// The values as observed.
    Raw,
    /// `ln(1 + value)`.
    Log1p,
}

impl Space {
    /// The name used in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Log1p => "log1p",
        }
    }
}

/// Order of an ARIMA model: `p` autoregressive terms, `d` differences, `q` moving-average terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArimaOrder {
    /// Autoregressive terms.
    pub p: usize,
    /// Differences.
    pub d: usize,
    /// Moving-average terms.
    pub q: usize,
}

/// What a fit chose.
#[derive(Debug, Clone, PartialEq)]
pub struct FitSummary {
    /// The ARIMA order; none for other models.
    pub order: Option<ArimaOrder>,
    /// The scale the model lives on.
    pub space: Space,
    /// Parameters by name: `intercept`, `ar.L1`.., `ma.L1`.., `sigma2` for ARIMA; `k`, `m`, `sigma` for Prophet.
    pub params: Vec<(String, f64)>,
}
