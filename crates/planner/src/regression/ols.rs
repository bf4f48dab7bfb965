//! Ordinary least squares in one or two features, minimum norm where the data do not decide.

use super::samples::Sample;

/// Directions whose singular value is below this share of the largest carry no information.
const RELATIVE_CUTOFF: f64 = 1e-6;

/// Sweeps of plane rotations; two columns are orthogonal to rounding after two or three.
const MAX_SWEEPS: usize = 8;

/// A fitted hyperplane: `y = coef · x + intercept`. With one feature the second coefficient is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Seconds per unit of each feature.
    pub coef: [f64; 2],
    /// Seconds.
    pub intercept: f64,
}

impl Line {
    /// The value at `x`.
    pub(crate) fn at(&self, x: [f64; 2]) -> f64 {
        self.coef[0] * x[0] + self.coef[1] * x[1] + self.intercept
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Fits `y` on the features by their centred singular value decomposition.
///
/// Two columns need one plane rotation to become orthogonal (Hestenes' one-sided Jacobi method); their lengths are
/// then the singular values. Unlike normal equations this does not square the condition number, which matters as a
/// batch size is some 10⁴ times smaller than its KV tokens.
#[must_use]
pub fn least_squares(samples: &[Sample]) -> Line {
    if samples.is_empty() {
        return Line::default();
    }
    let n = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let centre = [mean(&|s| s.x[0]), mean(&|s| s.x[1])];
    let mean_y = mean(&|s| s.y);
    let column =
        |axis: usize| -> Vec<f64> { samples.iter().map(|s| s.x[axis] - centre[axis]).collect() };
    let (mut a, mut b) = (column(0), column(1));
    let y: Vec<f64> = samples.iter().map(|s| s.y - mean_y).collect();

    // Columns of v are the right singular vectors.
    let mut v = [[1.0, 0.0], [0.0, 1.0]];
    for _ in 0..MAX_SWEEPS {
        let (alpha, beta, gamma) = (dot(&a, &a), dot(&b, &b), dot(&a, &b));
        if gamma.abs() <= f64::EPSILON * (alpha * beta).sqrt() {
            break;
        }
        let zeta = (beta - alpha) / (2.0 * gamma);
        let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
        let c = 1.0 / t.hypot(1.0);
        let s = c * t;
        for (x, z) in a.iter_mut().zip(&mut b) {
            (*x, *z) = (c * *x - s * *z, s * *x + c * *z);
        }
        for row in &mut v {
            *row = [c * row[0] - s * row[1], s * row[0] + c * row[1]];
        }
    }

    let sigma = [dot(&a, &a).sqrt(), dot(&b, &b).sqrt()];
    let cutoff = RELATIVE_CUTOFF * sigma[0].max(sigma[1]);
    let mut coef = [0.0; 2];
    for (k, column) in [&a, &b].into_iter().enumerate() {
        if sigma[k] > cutoff && sigma[k] > 0.0 {
            let weight = dot(column, &y) / sigma[k] / sigma[k];
            coef[0] += v[0][k] * weight;
            coef[1] += v[1][k] * weight;
        }
    }
    Line {
        coef,
        intercept: mean_y - coef[0] * centre[0] - coef[1] * centre[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(x: [f64; 2], y: f64) -> Sample {
        Sample { x, y }
    }

    #[test]
    fn finds_a_plane_of_very_unequal_scales() {
        let samples: Vec<Sample> = (0..20)
            .map(|i| {
                let x = [f64::from(i % 7 + 1), f64::from(i * i % 11) * 1e5];
                sample(x, 3e-5 * x[0] + 2e-8 * x[1] + 0.004)
            })
            .collect();
        let line = least_squares(&samples);
        assert!((line.coef[0] / 3e-5 - 1.0).abs() < 1e-10, "{line:?}");
        assert!((line.coef[1] / 2e-8 - 1.0).abs() < 1e-10, "{line:?}");
        assert!((line.intercept / 0.004 - 1.0).abs() < 1e-10, "{line:?}");
    }

    #[test]
    fn collinear_features_share_by_minimum_norm() {
        let samples: Vec<Sample> = (1..6)
            .map(|i| sample([f64::from(i), f64::from(2 * i)], f64::from(5 * i)))
            .collect();
        let line = least_squares(&samples);
        assert!((line.coef[0] - 1.0).abs() < 1e-12 && (line.coef[1] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn constant_features_give_the_mean() {
        let line = least_squares(&[sample([7.0, 0.0], 1.0), sample([7.0, 0.0], 3.0)]);
        assert_eq!(
            line,
            Line {
                coef: [0.0; 2],
                intercept: 2.0
            }
        );
    }
}
