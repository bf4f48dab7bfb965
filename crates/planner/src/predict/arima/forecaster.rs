//! The ARIMA predictor: when to fit, on which scale, and what to do where a fit fails.

use super::super::history::IdleFilter;
use super::super::predictor::{FitSummary, PredictError, Predictor, Space};
use super::likelihood::filter;
use super::model::Params;
use super::stepwise::{refine, select};

/// Values before the first fit.
const MIN_POINTS: usize = 5;
/// Iterations of the optimiser when values are appended: one in ten new values, and never fewer than this.
const MIN_UPDATE_ITERATIONS: usize = 5;
const VALUES_PER_UPDATE_ITERATION: usize = 10;

/// Chooses an order once, then follows the series by refining the parameters.
#[derive(Debug, Clone)]
pub(in crate::predict) struct Arima {
    idle: IdleFilter,
    requested: Space,
    /// Values as observed, at least 0.
    raw: Vec<f64>,
    model: Option<Fitted>,
    forecast: Option<f64>,
}

#[derive(Debug, Clone)]
struct Fitted {
    space: Space,
    params: Params,
    /// How many of the values it has seen.
    seen: usize,
}

impl Arima {
    /// A predictor without values; `space` is where the first fit is tried.
    pub(in crate::predict) fn new(space: Space) -> Self {
        Self {
            idle: IdleFilter::default(),
            requested: space,
            raw: Vec::new(),
            model: None,
            forecast: None,
        }
    }

    fn series(&self, space: Space) -> Vec<f64> {
        match space {
            Space::Raw => self.raw.clone(),
            Space::Log1p => self.raw.iter().map(|y| y.ln_1p()).collect(),
        }
    }

    /// A model without memory of the raw values is tried again on the log scale, where the mean resists bursts.
    fn first_fit(&self) -> Option<Fitted> {
        let fit = |space| {
            select(&self.series(space)).map(|params| Fitted {
                space,
                params,
                seen: self.raw.len(),
            })
        };
        let fitted = fit(self.requested)?;
        let order = fitted.params.form.order;
        if fitted.space == Space::Raw && order.p == 0 && order.q == 0 {
            return fit(Space::Log1p);
        }
        Some(fitted)
    }

    fn append(&self, mut fitted: Fitted) -> Option<Fitted> {
        let new = self.raw.len() - fitted.seen;
        if new > 0 {
            let iterations = MIN_UPDATE_ITERATIONS.max(new / VALUES_PER_UPDATE_ITERATION);
            fitted.params = refine(fitted.params, &self.series(fitted.space), iterations)?;
            fitted.seen = self.raw.len();
        }
        Some(fitted)
    }

    /// The forecast of the model, brought up to date; none where it cannot be.
    fn model_forecast(&mut self) -> Option<f64> {
        let fitted = match self.model.take() {
            Some(fitted) => self.append(fitted),
            None => self.first_fit(),
        }?;
        let mean = filter(&fitted.params, &self.series(fitted.space)).forecast;
        let forecast = match fitted.space {
            Space::Raw => mean,
            Space::Log1p => mean.exp_m1(),
        };
        self.model = Some(fitted);
        forecast.is_finite().then_some(forecast.max(0.0))
    }
}

impl Predictor for Arima {
    fn observe(&mut self, value: f64) {
        if let Some(value) = self.idle.accept(value) {
            self.raw.push(value.max(0.0));
            self.forecast = None;
        }
    }

    fn predict_next(&mut self) -> Result<f64, PredictError> {
        if let Some(forecast) = self.forecast {
            return Ok(forecast);
        }
        let last = self.last_value();
        let forecast = if self.raw.len() < MIN_POINTS || self.raw.iter().all(|y| *y == last) {
            last
        } else {
            self.model_forecast().unwrap_or(last)
        };
        self.forecast = Some(forecast);
        Ok(forecast)
    }

    fn reset_idle_skip(&mut self) {
        self.idle.rearm();
    }

    fn last_value(&self) -> f64 {
        self.raw.last().copied().unwrap_or(0.0)
    }

    fn points(&self) -> usize {
        self.raw.len()
    }

    fn fit(&self) -> Option<FitSummary> {
        self.model.as_ref().map(|fitted| FitSummary {
            order: Some(fitted.params.form.order),
            space: fitted.space,
            params: fitted.params.named(),
        })
    }
}
