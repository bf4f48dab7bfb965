//! Stationary polynomials, parametrised without bounds (Monahan 1984): each unbounded number becomes a partial
//! autocorrelation, and Durbin's and Levinson's recursion turns those into coefficients.
//!
//! Throughout, `c` stands for the polynomial `1 + c[0] z + c[1] z^2 + ..`: moving-average coefficients as they are,
//! autoregressive ones with their sign changed.

/// Highest degree in use.
pub(super) const MAX_DEGREE: usize = 5;

/// Coefficients of a polynomial that has all its inverse roots inside the unit circle.
pub(super) fn constrain(unbounded: &[f64], coefficients: &mut [f64]) {
    let mut before = [0.0; MAX_DEGREE];
    for (k, x) in unbounded.iter().enumerate() {
        let partial = x / (1.0 + x * x).sqrt();
        before[..k].copy_from_slice(&coefficients[..k]);
        for i in 0..k {
            coefficients[i] = before[i] + partial * before[k - 1 - i];
        }
        coefficients[k] = partial;
    }
}

/// The inverse of [`constrain`]; not finite where the polynomial is not stationary.
pub(super) fn unconstrain(coefficients: &[f64], unbounded: &mut [f64]) {
    partials(coefficients, unbounded);
    for x in unbounded.iter_mut() {
        *x /= (1.0 - *x * *x).sqrt();
    }
}

/// Whether all inverse roots lie strictly inside the circle of this radius.
///
/// Scaling the polynomial's variable by the radius moves that circle to the unit circle, where the partial
/// autocorrelations tell (Schur and Cohn): no root has to be computed.
pub(super) fn inverse_roots_within(coefficients: &[f64], radius: f64) -> bool {
    let mut scaled = [0.0; MAX_DEGREE];
    let mut power = 1.0;
    for (s, c) in scaled.iter_mut().zip(coefficients) {
        power *= radius;
        *s = c / power;
    }
    let mut partial = [0.0; MAX_DEGREE];
    let degree = coefficients.len();
    partials(&scaled[..degree], &mut partial[..degree]);
    partial[..degree].iter().all(|r| r.abs() < 1.0)
}

/// Partial autocorrelations by the downward recursion. Once one reaches 1 the lower ones mean nothing, but it stays.
fn partials(coefficients: &[f64], out: &mut [f64]) {
    let mut now = [0.0; MAX_DEGREE];
    now[..coefficients.len()].copy_from_slice(coefficients);
    for k in (0..coefficients.len()).rev() {
        let partial = now[k];
        out[k] = partial;
        let above = now;
        for i in 0..k {
            now[i] = (above[i] - partial * above[k - 1 - i]) / (1.0 - partial * partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn constraining_is_stationary_and_reversible(
            unbounded in proptest::collection::vec(-3.0..3.0f64, 0..=MAX_DEGREE),
        ) {
            let n = unbounded.len();
            let (mut coefficients, mut back) = ([0.0; MAX_DEGREE], [0.0; MAX_DEGREE]);
            constrain(&unbounded, &mut coefficients[..n]);
            prop_assert!(inverse_roots_within(&coefficients[..n], 1.0));
            unconstrain(&coefficients[..n], &mut back[..n]);
            for (a, b) in unbounded.iter().zip(&back) {
                prop_assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }

    #[test]
    fn radius_separates_known_roots() {
        // (1 - 0.9 z)(1 + 0.5 z): inverse roots 0.9 and -0.5.
        let product = [-0.4, -0.45];
        assert!(inverse_roots_within(&product, 0.91));
        assert!(!inverse_roots_within(&product, 0.89));
        // A conjugate pair of modulus 0.8.
        assert!(inverse_roots_within(&[0.3, 0.64], 0.81));
        assert!(!inverse_roots_within(&[0.3, 0.64], 0.79));
        assert!(!inverse_roots_within(&[f64::NAN], 1.0));
        assert!(inverse_roots_within(&[], 0.99));
    }
}
