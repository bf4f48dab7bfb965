//! Where the optimiser starts: least squares on lags, after Hannan and Rissanen.
//!
//! A long autoregression gives residuals, and a regression on lagged values and lagged residuals the coefficients.

use nalgebra::{DMatrix, DVector};

use super::kpss::difference;
use super::model::{Form, Params};
use super::stationary::inverse_roots_within;

/// Smallest starting variance.
const MIN_VARIANCE: f64 = 1e-10;
/// A start this near to the unit circle is not used.
const ROOT_MARGIN: f64 = 1e-10;
/// Singular values below this part of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-15;

/// Starting parameters of a form on a series (before differencing).
pub(super) fn starting_params(form: Form, series: &[f64]) -> Params {
    let mut w = series.to_vec();
    for _ in 0..form.order.d {
        w = difference(&w);
    }
    let (p, q) = (form.order.p, form.order.q);
    if p + q == 0 && !form.intercept {
        // The divisor is the length before differencing, as in the tools this follows.
        let variance = w.iter().map(|v| v * v).sum::<f64>() / series.len() as f64;
        return Params::new(form, 0.0, &[], &[], variance.max(MIN_VARIANCE));
    }
    regress_on_lags(form, &w).unwrap_or_else(|| {
        let zeros = vec![0.0; p.max(q)];
        Params::new(
            form,
            0.0,
            &zeros[..p],
            &zeros[..q],
            population_variance(&w).max(MIN_VARIANCE),
        )
    })
}

/// The two regressions; none where there are not enough values.
fn regress_on_lags(form: Form, w: &[f64]) -> Option<Params> {
    let (p, q) = (form.order.p, form.order.q);
    let long = 2 * q;
    let skipped = p.max(long + q);
    if w.len() <= skipped {
        return None;
    }
    let shocks = if q > 0 {
        autoregression_residuals(w, long)
    } else {
        Vec::new()
    };
    let constant = usize::from(form.intercept);
    let rows = w.len() - skipped;
    let design = DMatrix::from_fn(rows, constant + p + q, |row, column| {
        if column < constant {
            1.0
        } else if column < constant + p {
            w[skipped + row - (column - constant + 1)]
        } else {
            shocks[skipped - long + row - (column - constant - p + 1)]
        }
    });
    let target = DVector::from_column_slice(&w[skipped..]);
    let coefficients = least_squares(&design, &target);
    let residuals = &target - &design * &coefficients;
    let used = &residuals.as_slice()[q.min(rows)..];
    let variance = if used.is_empty() {
        population_variance(w)
    } else {
        used.iter().map(|e| e * e).sum::<f64>() / used.len() as f64
    };
    let coefficients = coefficients.as_slice();
    let mut ar = coefficients[constant..constant + p].to_vec();
    let mut ma = coefficients[constant + p..].to_vec();
    let negated: Vec<f64> = ar.iter().map(|c| -c).collect();
    if !inverse_roots_within(&negated, 1.0 - ROOT_MARGIN) {
        ar.fill(0.0);
    }
    if !inverse_roots_within(&ma, 1.0 - ROOT_MARGIN) {
        ma.fill(0.0);
    }
    let intercept = if form.intercept { coefficients[0] } else { 0.0 };
    Some(Params::new(
        form,
        intercept,
        &ar,
        &ma,
        variance.max(MIN_VARIANCE),
    ))
}

/// Residuals of a regression on `lags` past values without a constant, from the first that has them all.
fn autoregression_residuals(w: &[f64], lags: usize) -> Vec<f64> {
    let design = DMatrix::from_fn(w.len() - lags, lags, |row, column| {
        w[lags + row - column - 1]
    });
    let target = DVector::from_column_slice(&w[lags..]);
    let coefficients = least_squares(&design, &target);
    (&target - design * coefficients).as_slice().to_vec()
}

/// Least squares of minimum norm.
fn least_squares(design: &DMatrix<f64>, target: &DVector<f64>) -> DVector<f64> {
    let svd = design.clone().svd(true, true);
    let tolerance = RANK_TOLERANCE * svd.singular_values.max();
    svd.solve(target, tolerance)
        .unwrap_or_else(|_| DVector::zeros(design.ncols()))
}

fn population_variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n
}
