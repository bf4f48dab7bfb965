//! The walk over orders: from a few simple models to better neighbours, until none is better by AIC.

use super::super::predictor::ArimaOrder;
use super::kpss::{difference, differences_needed, is_constant};
use super::lbfgs::minimise;
use super::likelihood::filter;
use super::model::{Form, Params};
use super::start::starting_params;
use super::stationary::inverse_roots_within;

/// Iterations of the optimiser for one candidate.
const FIT_ITERATIONS: usize = 50;
/// Highest autoregressive and moving-average degree, and that of the first candidate.
const MAX_DEGREE: usize = 5;
const START_DEGREE: usize = 2;
/// Values a degree needs.
const VALUES_PER_DEGREE: usize = 3;
/// Candidates at most.
const MAX_CANDIDATES: usize = 100;
/// Fits with an inverse root outside this circle are not trusted.
const ROOT_LIMIT: f64 = 0.99;
/// The walk's moves in `(p, q)`, in the order tried.
const MOVES: [(isize, isize); 8] = [
    (-1, 0),
    (0, -1),
    (1, 0),
    (0, 1),
    (-1, -1),
    (-1, 1),
    (1, -1),
    (1, 1),
];

/// Chooses an order for the series and fits it; none where no candidate can be fitted.
pub(super) fn select(series: &[f64]) -> Option<Params> {
    let d = differences_needed(series);
    let mut differenced = series.to_vec();
    for _ in 0..d {
        differenced = difference(&differenced);
    }
    // Twice differenced data has no room for a drift in its trend.
    let intercept = d < 2;
    if is_constant(&differenced) {
        let form = Form {
            order: ArimaOrder { p: 0, d, q: 0 },
            intercept,
        };
        return refine(starting_params(form, series), series, FIT_ITERATIONS);
    }
    let mut walk = Walk {
        series,
        d,
        intercept,
        max_degree: MAX_DEGREE.min(series.len() / VALUES_PER_DEGREE),
        tried: Vec::new(),
        best: None,
    };
    let start = START_DEGREE.min(walk.max_degree);
    let simple = 1.min(walk.max_degree);
    for (p, q) in [(start, start), (0, 0), (simple, 0), (0, simple)] {
        walk.consider(p, q, intercept);
    }
    if intercept {
        walk.consider(0, 0, false);
    }
    while walk.improve() {}
    walk.best.map(|(_, params)| params)
}

/// Improves parameters on a series by likelihood; none where the likelihood is not defined.
pub(super) fn refine(params: Params, series: &[f64], iterations: usize) -> Option<Params> {
    let form = params.form;
    let n = series.len() as f64;
    let mut objective =
        |x: &[f64]| -filter(&Params::from_unbounded(form, x), series).log_likelihood / n;
    let minimum = minimise(&mut objective, params.to_unbounded(), iterations);
    minimum
        .value
        .is_finite()
        .then(|| Params::from_unbounded(form, &minimum.x))
}

struct Walk<'a> {
    series: &'a [f64],
    d: usize,
    /// Whether neighbours have an intercept. The simple model without one does not change this when it is the best
    /// so far; only the walk's own last move does.
    intercept: bool,
    max_degree: usize,
    tried: Vec<(usize, usize, bool)>,
    best: Option<(f64, Params)>,
}

impl Walk<'_> {
    /// Tries the neighbours of the best model in turn, until one is better.
    fn improve(&mut self) -> bool {
        let Some((_, best)) = self.best else {
            return false;
        };
        let ArimaOrder { p, q, .. } = best.form.order;
        for (dp, dq) in MOVES {
            let (Some(p), Some(q)) = (p.checked_add_signed(dp), q.checked_add_signed(dq)) else {
                continue;
            };
            if p.max(q) <= self.max_degree && self.consider(p, q, self.intercept) {
                return true;
            }
        }
        let better = self.consider(p, q, !self.intercept);
        self.intercept ^= better;
        better
    }

    /// Fits a candidate unless it has been tried; true if it is the best so far.
    fn consider(&mut self, p: usize, q: usize, intercept: bool) -> bool {
        if self.tried.len() >= MAX_CANDIDATES || self.tried.contains(&(p, q, intercept)) {
            return false;
        }
        self.tried.push((p, q, intercept));
        let form = Form {
            order: ArimaOrder { p, d: self.d, q },
            intercept,
        };
        let Some(params) = refine(
            starting_params(form, self.series),
            self.series,
            FIT_ITERATIONS,
        ) else {
            return false;
        };
        let aic = aic(&params, self.series);
        let better = is_trusted(&params) && self.best.is_none_or(|(best, _)| aic < best);
        if better {
            self.best = Some((aic, params));
        }
        better
    }
}

/// Akaike's criterion.
fn aic(params: &Params, series: &[f64]) -> f64 {
    2.0 * (params.form.parameter_count() as f64 - filter(params, series).log_likelihood)
}

/// Roots clear of the unit circle. Where there is a moving average only its roots count (as in the tools this
/// follows): its autoregressive partner may come as near as the likelihood likes.
fn is_trusted(params: &Params) -> bool {
    if params.ma().is_empty() {
        let negated: Vec<f64> = params.ar().iter().map(|c| -c).collect();
        inverse_roots_within(&negated, ROOT_LIMIT)
    } else {
        inverse_roots_within(params.ma(), ROOT_LIMIT)
    }
}
