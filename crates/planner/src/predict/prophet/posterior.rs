//! Mode of the posterior: coefficients and noise in turn, from a large noise down.

use nalgebra::{DMatrix, DVector};

use super::design::{Column, Prior};
use super::lasso::Problem;

/// Scale of the half-normal prior of the noise.
const NOISE_SCALE: f64 = 0.5;
/// The noise the search starts from, and the least it may reach (an exact fit would take it to 0).
const START_NOISE: f64 = 1.0;
const MIN_NOISE: f64 = 1e-9;
const MAX_ROUNDS: usize = 500;
/// Relative change of the noise at which it has settled.
const SETTLED: f64 = 1e-10;

/// Coefficients in the order of the columns, and the standard deviation of the noise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mode {
    pub(super) coefficients: Vec<f64>,
    pub(super) noise: f64,
}

impl Mode {
    /// Value at the step after the last.
    pub(super) fn forecast(&self, columns: &[Column]) -> f64 {
        self.coefficients
            .iter()
            .zip(columns)
            .map(|(c, column)| c * column.next)
            .sum()
    }
}

/// The mode for values scaled to at most 1.
pub(super) fn mode(columns: &[Column], values: &[f64]) -> Mode {
    let n = columns.len();
    let design = DMatrix::from_fn(values.len(), n, |row, j| columns[j].values[row]);
    let target = DVector::from_column_slice(values);
    let gram = design.transpose() * &design;
    let moments = design.transpose() * &target;
    let mut coefficients = DVector::zeros(n);
    let mut noise = START_NOISE;
    for _ in 0..MAX_ROUNDS {
        coefficients = conditional(columns, &gram, &moments, noise).minimise(coefficients);
        let residual = &target - &design * &coefficients;
        let next = best_noise(values.len(), residual.norm_squared()).max(MIN_NOISE);
        let change = (next - noise).abs();
        noise = next;
        if change <= SETTLED * noise {
            break;
        }
    }
    Mode {
        coefficients: coefficients.as_slice().to_vec(),
        noise,
    }
}

/// The problem for the coefficients at a given noise, multiplied by its variance to keep the numbers tame.
fn conditional(
    columns: &[Column],
    gram: &DMatrix<f64>,
    moments: &DVector<f64>,
    noise: f64,
) -> Problem {
    let variance = noise * noise;
    let mut quadratic = gram.clone();
    let mut weight = vec![0.0; columns.len()];
    for (j, column) in columns.iter().enumerate() {
        match column.prior {
            Prior::Normal(deviation) => quadratic[(j, j)] += variance / (deviation * deviation),
            Prior::Laplace(scale) => weight[j] = variance / scale,
        }
    }
    Problem {
        quadratic,
        linear: moments.clone(),
        weight,
    }
}

/// The noise for given residuals: the root of `4 s^4 + n s^2 = sum of squares` for a prior scale of one half.
fn best_noise(count: usize, squares: f64) -> f64 {
    let n = count as f64;
    let prior = 1.0 / (NOISE_SCALE * NOISE_SCALE);
    (2.0 * squares / (n + (n * n + 4.0 * prior * squares).sqrt())).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_stationary_in_its_posterior() {
        for (count, squares) in [(5, 0.3), (50, 4.0), (10, 1e-12)] {
            let s = best_noise(count, squares);
            let slope = count as f64 / s - squares / s.powi(3) + s / (NOISE_SCALE * NOISE_SCALE);
            assert!((slope * s).abs() < 1e-9 * count as f64, "{slope}");
        }
    }
}
