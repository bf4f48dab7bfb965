//! The Prophet predictor: a window of the last values, fitted anew for each forecast.

use std::collections::VecDeque;

use super::super::history::IdleFilter;
use super::super::predictor::{FitSummary, PredictError, Predictor, Space};
use super::design::{Times, columns};
use super::posterior::{Mode, mode};

/// Values before the first fit.
const MIN_POINTS: usize = 5;

/// Fits a trend to the window whenever a forecast is asked for after a new value.
#[derive(Debug, Clone)]
pub(in crate::predict) struct Prophet {
    idle: IdleFilter,
    space: Space,
    window: usize,
    interval_s: f64,
    values: VecDeque<f64>,
    /// Values observed in all, those that left the window included.
    observed: usize,
    forecast: Option<f64>,
    fit: Option<FitSummary>,
}

impl Prophet {
    /// A predictor without values that keeps the last `window`, sampled every `interval_s` seconds.
    pub(in crate::predict) fn new(space: Space, window: usize, interval_s: f64) -> Self {
        Self {
            idle: IdleFilter::default(),
            space,
            window,
            interval_s,
            values: VecDeque::new(),
            observed: 0,
            forecast: None,
            fit: None,
        }
    }

    /// The forecast of a fit to the window; none where it is not finite.
    fn fitted_forecast(&mut self) -> Option<f64> {
        let series: Vec<f64> = match self.space {
            Space::Raw => self.values.iter().copied().collect(),
            Space::Log1p => self.values.iter().map(|y| y.max(0.0).ln_1p()).collect(),
        };
        let last = *series.last()?;
        let next = if series.iter().all(|y| *y == last) {
            last
        } else {
            let scale = series.iter().fold(0.0_f64, |scale, y| scale.max(y.abs()));
            let columns = columns(Times {
                count: series.len(),
                skipped: self.observed - series.len(),
                interval_s: self.interval_s,
            });
            let scaled: Vec<f64> = series.iter().map(|y| y / scale).collect();
            let mode = mode(&columns, &scaled);
            self.fit = Some(summary(&mode, self.space));
            mode.forecast(&columns) * scale
        };
        let next = match self.space {
            Space::Raw => next,
            Space::Log1p => next.exp_m1(),
        };
        next.is_finite().then_some(next.max(0.0))
    }
}

fn summary(mode: &Mode, space: Space) -> FitSummary {
    let named = [
        ("k", mode.coefficients[0]),
        ("m", mode.coefficients[1]),
        ("sigma", mode.noise),
    ];
    let params = named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    FitSummary {
        order: None,
        space,
        params,
    }
}

impl Predictor for Prophet {
    fn observe(&mut self, value: f64) {
        let Some(value) = self.idle.accept(value) else {
            return;
        };
        self.values.push_back(value);
        self.observed += 1;
        while self.values.len() > self.window {
            self.values.pop_front();
        }
        self.forecast = None;
    }

    fn predict_next(&mut self) -> Result<f64, PredictError> {
        if let Some(forecast) = self.forecast {
            return Ok(forecast);
        }
        let last = self.last_value();
        let forecast = if self.values.len() < MIN_POINTS {
            last
        } else {
            self.fitted_forecast().unwrap_or(last)
        };
        self.forecast = Some(forecast);
        Ok(forecast)
    }

    fn reset_idle_skip(&mut self) {
        self.idle.rearm();
    }

    fn last_value(&self) -> f64 {
        self.idle.last()
    }

    fn points(&self) -> usize {
        self.values.len()
    }

    fn fit(&self) -> Option<FitSummary> {
        self.fit.clone()
    }
}
