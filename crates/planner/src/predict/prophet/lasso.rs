//! Minimum of a convex quadratic with an L1 term on some coordinates, exactly, by active sets (the feature-sign search
//! of Lee, Battle, Raina & Ng 2007).

use nalgebra::{DMatrix, DVector};

/// Slack in the optimality of a coordinate at 0, relative to its weight.
const SLACK: f64 = 1e-9;

/// `x' quadratic x / 2 - linear' x + sum(weight[j] |x[j]|)`; a weight of 0 leaves a coordinate unpenalised.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) quadratic: DMatrix<f64>,
    pub(super) linear: DVector<f64>,
    pub(super) weight: Vec<f64>,
}

impl Problem {
    /// The minimiser, from a starting point.
    pub(super) fn minimise(&self, start: DVector<f64>) -> DVector<f64> {
        let n = self.weight.len();
        let mut x = start;
        let mut sign: Vec<f64> = (0..n).map(|j| sign_of(x[j])).collect();
        for _ in 0..20 * n {
            let active: Vec<usize> = (0..n)
                .filter(|j| self.weight[*j] == 0.0 || sign[*j] != 0.0)
                .collect();
            let Some(target) = self.solve_on(&active, &sign) else {
                break;
            };
            let reached = self.move_towards(&mut x, &target, &active, &sign);
            for j in &active {
                sign[*j] = sign_of(x[*j]);
            }
            if reached && !self.activate(&x, &mut sign) {
                break;
            }
        }
        x
    }

    /// Minimiser on the active coordinates while their signs hold.
    fn solve_on(&self, active: &[usize], sign: &[f64]) -> Option<DVector<f64>> {
        let k = active.len();
        let matrix = DMatrix::from_fn(k, k, |i, j| self.quadratic[(active[i], active[j])]);
        let right = DVector::from_fn(k, |i, _| {
            self.linear[active[i]] - self.weight[active[i]] * sign[active[i]]
        });
        let solution = matrix.cholesky()?.solve(&right);
        let mut full = DVector::zeros(self.weight.len());
        for (i, j) in active.iter().enumerate() {
            full[*j] = solution[i];
        }
        Some(full)
    }

    /// Goes to the target, or to the best point on the way at which a penalised coordinate changes sign. True at the
    /// target if it has the signs it was computed for: then it is optimal on the active coordinates.
    fn move_towards(
        &self,
        x: &mut DVector<f64>,
        target: &DVector<f64>,
        active: &[usize],
        sign: &[f64],
    ) -> bool {
        let step = target - &*x;
        let mut best = (self.value(target), target.clone(), true);
        for j in active {
            if self.weight[*j] == 0.0 || x[*j] * target[*j] >= 0.0 {
                continue;
            }
            let mut candidate = &*x - &step * (x[*j] / step[*j]);
            candidate[*j] = 0.0;
            let value = self.value(&candidate);
            if value < best.0 {
                best = (value, candidate, false);
            }
        }
        *x = best.1;
        let keeps_signs = |j: &usize| self.weight[*j] == 0.0 || sign_of(target[*j]) == sign[*j];
        best.2 && active.iter().all(keeps_signs)
    }

    /// Frees the coordinate at 0 that gains most; false where none gains.
    fn activate(&self, x: &DVector<f64>, sign: &mut [f64]) -> bool {
        let gradient = &self.quadratic * x - &self.linear;
        let gain = |j: usize| gradient[j].abs() - self.weight[j] * (1.0 + SLACK);
        let best = (0..sign.len())
            .filter(|j| self.weight[*j] > 0.0 && sign[*j] == 0.0 && gain(*j) > 0.0)
            .max_by(|a, b| gain(*a).total_cmp(&gain(*b)));
        if let Some(j) = best {
            sign[j] = -sign_of(gradient[j]);
        }
        best.is_some()
    }

    fn value(&self, x: &DVector<f64>) -> f64 {
        let penalty: f64 = x.iter().zip(&self.weight).map(|(x, w)| w * x.abs()).sum();
        0.5 * x.dot(&(&self.quadratic * x)) - self.linear.dot(x) + penalty
    }
}

fn sign_of(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_coordinate_move_improves_the_minimum(
            entries in proptest::collection::vec(-1.0..1.0f64, 30),
            linear in proptest::collection::vec(-3.0..3.0f64, 5),
            weight in proptest::collection::vec(0.1..2.0f64, 5),
        ) {
            let factor = DMatrix::from_vec(6, 5, entries);
            let quadratic = factor.transpose() * &factor + DMatrix::identity(5, 5) * 0.01;
            let mut weight = weight;
            weight[0] = 0.0;
            let problem = Problem { quadratic, linear: DVector::from_vec(linear), weight };
            let x = problem.minimise(DVector::zeros(5));
            let value = problem.value(&x);
            for j in 0..5 {
                for step in [-1e-3, -1e-5, 1e-5, 1e-3] {
                    let mut moved = x.clone();
                    moved[j] += step;
                    prop_assert!(problem.value(&moved) >= value - 1e-12 * value.abs().max(1.0));
                }
            }
        }
    }
}
