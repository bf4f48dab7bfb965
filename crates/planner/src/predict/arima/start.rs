//! Where the optimiser starts: least squares on lags, after Hannan and Rissanen.
//!
//! A long autoregression gives residuals, and a regression on lagged values and lagged residuals the coefficients.

use super::kpss::difference;
use super::least_squares::{Columns, least_squares};
use super::model::{Form, Params};
use super::stationary::inverse_roots_within;

/// Smallest starting variance.
const MIN_VARIANCE: f64 = 1e-10;
/// A start this near to the unit circle is not used.
const ROOT_MARGIN: f64 = 1e-10;

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
        let shrink = w.len() as f64 / (w.len() + q) as f64;
        let variance = (population_variance(&w) * shrink).max(MIN_VARIANCE);
        Params::new(form, 0.0, &zeros[..p], &zeros[..q], variance)
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
    let mut design: Columns = vec![vec![1.0; rows]; constant];
    design.extend((1..=p).map(|lag| w[skipped - lag..w.len() - lag].to_vec()));
    let shock_start = skipped - long;
    design.extend((1..=q).map(|lag| shocks[shock_start - lag..shocks.len() - lag].to_vec()));
    let target = &w[skipped..];
    let coefficients = least_squares(&design, target);
    let residuals = residuals(&design, &coefficients, target);
    let used = &residuals[q.min(rows)..];
    let variance = if used.is_empty() {
        population_variance(w)
    } else {
        used.iter().map(|e| e * e).sum::<f64>() / used.len() as f64
    };
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
    let design: Columns = (1..=lags)
        .map(|lag| w[lags - lag..w.len() - lag].to_vec())
        .collect();
    let coefficients = least_squares(&design, &w[lags..]);
    residuals(&design, &coefficients, &w[lags..])
}

fn residuals(design: &Columns, coefficients: &[f64], target: &[f64]) -> Vec<f64> {
    let mut residuals = target.to_vec();
    for (column, coefficient) in design.iter().zip(coefficients) {
        for (r, x) in residuals.iter_mut().zip(column) {
            *r -= coefficient * x;
        }
    }
    residuals
}

fn population_variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n
}
