//! Local linear trend, filtered by Kalman's recursions: a level that moves by a slope, both random walks.
//!
//! State `[level, slope]`, transition `[[1, 1], [0, 1]]`, observation `level + noise` with variance `r`.

use super::history::IdleFilter;
use super::predictor::{PredictError, Predictor, Space};
use super::settings::KalmanSettings;

/// Variance of both state components before the first value.
const INITIAL_VARIANCE: f64 = 1000.0;
/// Floors that keep the innovation variance positive whatever the configuration says.
const MIN_PROCESS_VARIANCE: f64 = 1e-12;
const MIN_OBSERVATION_VARIANCE: f64 = 1e-9;

/// The local linear trend filter.
#[derive(Debug, Clone)]
pub(super) struct Kalman {
    filter: IdleFilter,
    points: usize,
    space: Space,
    q: [f64; 2],
    r: f64,
    state: [f64; 2],
    /// Covariance, row by row; the off-diagonal entries are carried separately, as rounding leaves them.
    cov: [[f64; 2]; 2],
    /// A forecast was asked for: the state already stands one step ahead.
    ahead: bool,
}

impl Kalman {
    /// A filter without values.
    pub(super) fn new(settings: KalmanSettings, space: Space) -> Self {
        Self {
            filter: IdleFilter::default(),
            points: 0,
            space,
            q: [
                settings.q_level.max(MIN_PROCESS_VARIANCE),
                settings.q_trend.max(MIN_PROCESS_VARIANCE),
            ],
            r: settings.r.max(MIN_OBSERVATION_VARIANCE),
            state: [0.0; 2],
            cov: [[INITIAL_VARIANCE, 0.0], [0.0, INITIAL_VARIANCE]],
            ahead: false,
        }
    }

    fn step_ahead(&mut self) {
        let [[a, b], [c, d]] = self.cov;
        self.state[0] += self.state[1];
        self.cov = [[a + c + b + d + self.q[0], b + d], [c + d, d + self.q[1]]];
        self.ahead = true;
    }

    /// Joseph's form of the update, which keeps the covariance positive.
    fn update(&mut self, z: f64) {
        let [[a, b], [c, d]] = self.cov;
        let innovation_variance = a + self.r;
        let gain = [a / innovation_variance, c / innovation_variance];
        let innovation = z - self.state[0];
        self.state[0] += gain[0] * innovation;
        self.state[1] += gain[1] * innovation;
        let keep = 1.0 - gain[0];
        let (top_a, top_b) = (keep * a, keep * b);
        let (low_c, low_d) = (c - gain[1] * a, d - gain[1] * b);
        self.cov = [
            [
                top_a * keep + gain[0] * gain[0] * self.r,
                top_b - top_a * gain[1] + gain[0] * gain[1] * self.r,
            ],
            [
                low_c * keep + gain[0] * gain[1] * self.r,
                low_d - low_c * gain[1] + gain[1] * gain[1] * self.r,
            ],
        ];
        self.ahead = false;
    }
}

impl Predictor for Kalman {
    fn observe(&mut self, value: f64) {
        let Some(value) = self.filter.accept(value) else {
            return;
        };
        let z = match self.space {
            Space::Raw => value,
            Space::Log1p => value.max(0.0).ln_1p(),
        };
        if self.points == 0 {
            self.state = [z, 0.0];
        } else {
            if !self.ahead {
                self.step_ahead();
            }
            self.update(z);
        }
        self.points += 1;
    }

    fn predict_next(&mut self) -> Result<f64, PredictError> {
        if self.points == 0 {
            return Ok(0.0);
        }
        if !self.ahead {
            self.step_ahead();
        }
        let forecast = match self.space {
            Space::Raw => self.state[0],
            Space::Log1p => self.state[0].exp_m1().max(0.0),
        };
        if forecast.is_finite() {
            Ok(forecast)
        } else {
            Err(PredictError::NotFinite { model: "kalman" })
        }
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
