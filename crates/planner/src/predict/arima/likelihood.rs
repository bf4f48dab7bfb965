//! Exact Gaussian likelihood and one-step forecast of an ARIMA model: Harvey's state-space form and Kalman's filter.
//!
//! State: the last level and difference (for the differencing), then the ARMA part. The ARMA part starts from its
//! stationary distribution; the differenced part from a wide one, [`DIFFUSE_VARIANCE`], and as many leading
//! observations are left out of the likelihood. The series is not differenced beforehand.

use super::model::Params;
use super::stationary::MAX_DEGREE;

/// Differences at most.
const MAX_DIFFERENCES: usize = 2;
/// ARMA states at most: a moving average of degree `q` needs `q + 1`.
const MAX_ARMA: usize = MAX_DEGREE + 1;
const MAX_STATES: usize = MAX_DIFFERENCES + MAX_ARMA;
/// Variance of an unknown starting level.
const DIFFUSE_VARIANCE: f64 = 1e6;

/// Change of gain (absolute) or error variance (relative) that is rounding.
const SETTLED: f64 = 1e-16;

type Vector = [f64; MAX_STATES];
type Matrix = [Vector; MAX_STATES];

/// What one pass of the filter over a series gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Filtered {
    /// Log-likelihood of the observations; not finite where the model has no stationary distribution.
    pub(super) log_likelihood: f64,
    /// Mean of the next observation.
    pub(super) forecast: f64,
}

/// Runs the filter.
pub(super) fn filter(params: &Params, series: &[f64]) -> Filtered {
    let mut filter = Filter::new(params);
    let burn = params.form.order.d;
    let mut log_likelihood = 0.0;
    for (t, y) in series.iter().enumerate() {
        let (error, variance) = filter.update(*y);
        if t >= burn {
            let log_density = (std::f64::consts::TAU * variance).ln() + error * error / variance;
            log_likelihood -= 0.5 * log_density;
        }
        filter.advance();
    }
    Filtered {
        log_likelihood,
        forecast: filter.expected(),
    }
}

struct Filter {
    differences: usize,
    states: usize,
    ar: [f64; MAX_ARMA],
    /// Loadings of the innovation on the ARMA states, `1, ma..`.
    loading: [f64; MAX_ARMA],
    intercept: f64,
    variance: f64,
    mean: Vector,
    cov: Matrix,
    gain: Vector,
    error_variance: f64,
    /// Steps since gain or error variance last changed. Once there are more than there are states, the covariance has
    /// settled for good and need not be followed any more. (Fewer prove nothing: with distant lags only, the first
    /// steps are alike.)
    quiet_steps: usize,
}

impl Filter {
    fn new(params: &Params) -> Self {
        let (ar, ma) = (params.ar(), params.ma());
        let differences = params.form.order.d;
        let arma = ar.len().max(ma.len() + 1);
        let mut filter = Self {
            differences,
            states: differences + arma,
            ar: [0.0; MAX_ARMA],
            loading: [0.0; MAX_ARMA],
            intercept: params.intercept,
            variance: params.variance,
            mean: [0.0; MAX_STATES],
            cov: [[0.0; MAX_STATES]; MAX_STATES],
            gain: [0.0; MAX_STATES],
            error_variance: 0.0,
            quiet_steps: 0,
        };
        filter.ar[..ar.len()].copy_from_slice(ar);
        filter.loading[0] = 1.0;
        filter.loading[1..=ma.len()].copy_from_slice(ma);
        for i in 0..differences {
            filter.cov[i][i] = DIFFUSE_VARIANCE;
        }
        filter.start_stationary(arma);
        filter
    }

    /// Mean and covariance of the stationary distribution of the ARMA part.
    ///
    /// The covariance `P` obeys `P = T P T' + R R' s2`. With a companion `T` each entry depends on the first row and
    /// on its successor down the diagonal, so the first row alone is a linear system of the size of the state.
    fn start_stationary(&mut self, arma: usize) {
        let d = self.differences;
        let level = self.intercept / (1.0 - self.ar.iter().sum::<f64>());
        let mut below = 0.0;
        for i in (1..arma).rev() {
            below += self.ar[i] * level;
            self.mean[d + i] = below;
        }
        self.mean[d] = level;

        let (ar, loading) = (&self.ar, &self.loading);
        let mut system = [[0.0; MAX_ARMA]; MAX_ARMA];
        let mut first_row = [0.0; MAX_ARMA];
        for k in 0..arma {
            system[k][k] += 1.0;
            for s in 0..arma - k {
                let (a, b) = (ar[s], ar[s + k]);
                system[k][0] -= a * b;
                if s + k + 1 < arma {
                    system[k][s + k + 1] -= a;
                }
                if s + 1 < arma {
                    system[k][s + 1] -= b;
                }
                first_row[k] += loading[s] * loading[s + k] * self.variance;
            }
        }
        solve(&mut system, &mut first_row, arma);
        let at = |row: &[f64; MAX_ARMA], i: usize| if i < arma { row[i] } else { 0.0 };
        for i in (0..arma).rev() {
            for j in (i..arma).rev() {
                let value = if i == 0 {
                    first_row[j]
                } else {
                    let successor = if j + 1 < arma {
                        self.cov[d + i + 1][d + j + 1]
                    } else {
                        0.0
                    };
                    ar[i] * ar[j] * first_row[0]
                        + ar[i] * at(&first_row, j + 1)
                        + ar[j] * at(&first_row, i + 1)
                        + successor
                        + loading[i] * loading[j] * self.variance
                };
                self.cov[d + i][d + j] = value;
                self.cov[d + j][d + i] = value;
            }
        }
    }

    /// Mean of the observation to come: the differenced states and the first ARMA state add up.
    fn expected(&self) -> f64 {
        self.mean[..=self.differences].iter().sum()
    }

    fn is_settled(&self) -> bool {
        self.quiet_steps > self.states
    }

    /// Takes an observation; returns its prediction error and that error's variance.
    fn update(&mut self, y: f64) -> (f64, f64) {
        if !self.is_settled() {
            self.update_covariance();
        }
        let error = y - self.expected();
        for (m, gain) in self.mean[..self.states].iter_mut().zip(&self.gain) {
            *m += gain * error;
        }
        (error, self.error_variance)
    }

    fn update_covariance(&mut self) {
        let (d, n) = (self.differences, self.states);
        let mut with_observation = [0.0; MAX_STATES];
        for (w, row) in with_observation.iter_mut().zip(&self.cov[..n]) {
            *w = row[..=d].iter().sum();
        }
        let variance: f64 = with_observation[..=d].iter().sum();
        let mut quiet = (variance - self.error_variance).abs() <= SETTLED * variance;
        for i in 0..n {
            let gain = with_observation[i] / variance;
            quiet &= (gain - self.gain[i]).abs() <= SETTLED;
            self.gain[i] = gain;
            for (entry, w) in self.cov[i][..n].iter_mut().zip(&with_observation) {
                *entry -= gain * w;
            }
        }
        self.error_variance = variance;
        self.quiet_steps = if quiet { self.quiet_steps + 1 } else { 0 };
    }

    /// Moves the state one step ahead.
    fn advance(&mut self) {
        self.mean = self.transition(&self.mean);
        self.mean[self.differences] += self.intercept;
        if !self.is_settled() {
            self.advance_covariance();
        }
    }

    /// `T P T' + R R' s2`: the transition of each row of the symmetric `P`, then of each column.
    fn advance_covariance(&mut self) {
        let (d, n) = (self.differences, self.states);
        let mut half = [[0.0; MAX_STATES]; MAX_STATES];
        for (h, column) in half.iter_mut().zip(&self.cov[..n]) {
            *h = self.transition(column);
        }
        for i in 0..n {
            let mut row = [0.0; MAX_STATES];
            for (r, h) in row.iter_mut().zip(&half[..n]) {
                *r = h[i];
            }
            self.cov[i] = self.transition(&row);
        }
        for i in d..n {
            for j in d..n {
                self.cov[i][j] += self.loading[i - d] * self.loading[j - d] * self.variance;
            }
        }
    }

    /// The transition applied to a vector.
    fn transition(&self, v: &Vector) -> Vector {
        let (d, n) = (self.differences, self.states);
        let mut out = [0.0; MAX_STATES];
        for i in 0..d {
            out[i] = v[i..=d].iter().sum();
        }
        for i in d..n {
            let shifted = if i + 1 < n { v[i + 1] } else { 0.0 };
            out[i] = self.ar[i - d] * v[d] + shifted;
        }
        out
    }
}

/// Gauss with partial pivoting, in place; a singular system leaves values that are not finite.
fn solve(system: &mut [[f64; MAX_ARMA]; MAX_ARMA], right: &mut [f64; MAX_ARMA], n: usize) {
    for k in 0..n {
        let pivot = (k..n)
            .max_by(|a, b| system[*a][k].abs().total_cmp(&system[*b][k].abs()))
            .unwrap_or(k);
        system.swap(k, pivot);
        right.swap(k, pivot);
        for i in k + 1..n {
            let factor = system[i][k] / system[k][k];
            let pivot_row = system[k];
            for (entry, above) in system[i][k..n].iter_mut().zip(&pivot_row[k..n]) {
                *entry -= factor * above;
            }
            right[i] -= factor * right[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|j| system[k][j] * right[j]).sum();
        right[k] = (right[k] - known) / system[k][k];
    }
}
