//! Which parameters a model has, and how the optimiser sees them.

use super::super::predictor::ArimaOrder;
use super::stationary::{MAX_DEGREE, constrain, unconstrain};

/// Order and intercept: everything that is chosen before the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) order: ArimaOrder,
    pub(super) intercept: bool,
}

impl Form {
    /// Number of parameters, the variance included.
    pub(super) fn parameter_count(&self) -> usize {
        usize::from(self.intercept) + self.order.p + self.order.q + 1
    }
}

/// Parameters of `w[t] = intercept + sum(ar[i] w[t-1-i]) + e[t] + sum(ma[j] e[t-1-j])`, with `w` the series after
/// differencing and `e` Gaussian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Params {
    pub(super) form: Form,
    pub(super) intercept: f64,
    ar: [f64; MAX_DEGREE],
    ma: [f64; MAX_DEGREE],
    pub(super) variance: f64,
}

impl Params {
    /// From autoregressive and moving-average coefficients of the form's lengths.
    pub(super) fn new(form: Form, intercept: f64, ar: &[f64], ma: &[f64], variance: f64) -> Self {
        let mut params = Self {
            form,
            intercept,
            ar: [0.0; MAX_DEGREE],
            ma: [0.0; MAX_DEGREE],
            variance,
        };
        params.ar[..form.order.p].copy_from_slice(ar);
        params.ma[..form.order.q].copy_from_slice(ma);
        params
    }

    pub(super) fn ar(&self) -> &[f64] {
        &self.ar[..self.form.order.p]
    }

    pub(super) fn ma(&self) -> &[f64] {
        &self.ma[..self.form.order.q]
    }

    /// From what the optimiser moves: the intercept, unbounded numbers for both polynomials, a standard deviation.
    pub(super) fn from_unbounded(form: Form, x: &[f64]) -> Self {
        let (intercept, rest) = x.split_at(usize::from(form.intercept));
        let (ar, rest) = rest.split_at(form.order.p);
        let (ma, deviation) = rest.split_at(form.order.q);
        let mut params = Self::new(
            form,
            intercept.iter().sum(),
            &[0.0; MAX_DEGREE][..form.order.p],
            &[0.0; MAX_DEGREE][..form.order.q],
            deviation[0] * deviation[0],
        );
        constrain(ar, &mut params.ar[..form.order.p]);
        params.ar.iter_mut().for_each(|c| *c = -*c);
        constrain(ma, &mut params.ma[..form.order.q]);
        params
    }

    /// The inverse of [`from_unbounded`](Self::from_unbounded).
    pub(super) fn to_unbounded(self) -> Vec<f64> {
        let Form {
            order: ArimaOrder { p, q, .. },
            intercept,
        } = self.form;
        let mut x = Vec::with_capacity(self.form.parameter_count());
        if intercept {
            x.push(self.intercept);
        }
        let mut unbounded = [0.0; MAX_DEGREE];
        unconstrain(&self.ar.map(|c| -c)[..p], &mut unbounded[..p]);
        x.extend_from_slice(&unbounded[..p]);
        unconstrain(self.ma(), &mut unbounded[..q]);
        x.extend_from_slice(&unbounded[..q]);
        x.push(self.variance.sqrt());
        x
    }

    /// Name and value of each parameter.
    pub(super) fn named(&self) -> Vec<(String, f64)> {
        let mut named = Vec::with_capacity(self.form.parameter_count());
        if self.form.intercept {
            named.push(("intercept".to_owned(), self.intercept));
        }
        let lag =
            |name: &'static str| move |(i, c): (usize, &f64)| (format!("{name}.L{}", i + 1), *c);
        named.extend(self.ar().iter().enumerate().map(lag("ar")));
        named.extend(self.ma().iter().enumerate().map(lag("ma")));
        named.push(("sigma2".to_owned(), self.variance));
        named
    }
}
