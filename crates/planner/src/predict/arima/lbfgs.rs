//! Limited-memory BFGS for a handful of unbounded parameters (Byrd, Lu, Nocedal & Zhu 1995), on forward differences.
//!
//! Stops like the widespread L-BFGS-B code does by default: at a small gradient, a small relative reduction, or a
//! number of iterations.

use super::line_search::{LineSearch, Next, Trial};

/// Pairs kept.
const MEMORY: usize = 10;
/// Step of the forward differences, absolute.
const DIFFERENCE: f64 = 1e-5;
/// Largest gradient component at which the point counts as stationary.
const GRADIENT_TOLERANCE: f64 = 1e-5;
/// Reductions below this many units of rounding end the search.
const REDUCTION_UNITS: f64 = 1e7;
/// Evaluations of one line search.
const MAX_TRIALS: usize = 20;
const MAX_STEP: f64 = 1e10;

/// Where a minimisation ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minimum {
    pub(super) x: Vec<f64>,
    pub(super) value: f64,
}

#[derive(Debug, Clone)]
struct Point {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Point {
    fn at(objective: &mut dyn FnMut(&[f64]) -> f64, x: Vec<f64>) -> Self {
        let value = objective(&x);
        let mut shifted = x.clone();
        let gradient = (0..x.len())
            .map(|i| {
                shifted[i] = x[i] + DIFFERENCE;
                let slope = (objective(&shifted) - value) / (shifted[i] - x[i]);
                shifted[i] = x[i];
                slope
            })
            .collect();
        Self { x, value, gradient }
    }

    fn is_stationary(&self) -> bool {
        self.gradient.iter().all(|g| g.abs() <= GRADIENT_TOLERANCE)
    }
}

/// One curvature pair: the move and the change of the gradient.
#[derive(Debug)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// Minimises `objective` from `start` in at most `max_iterations` iterations.
pub(super) fn minimise(
    objective: &mut dyn FnMut(&[f64]) -> f64,
    start: Vec<f64>,
    max_iterations: usize,
) -> Minimum {
    let mut here = Point::at(objective, start);
    let mut pairs: Vec<Pair> = Vec::new();
    let mut iterations = 0;
    while iterations < max_iterations && !here.is_stationary() {
        let direction = descent_direction(&here.gradient, &pairs);
        let first_step = if iterations == 0 {
            (1.0 / dot(&direction, &direction).sqrt()).min(MAX_STEP)
        } else {
            1.0
        };
        let Some((next, step)) = search(objective, &here, &direction, first_step) else {
            if pairs.is_empty() {
                break;
            }
            pairs.clear();
            continue;
        };
        iterations += 1;
        let reduction = here.value - next.value;
        let scale = here.value.abs().max(next.value.abs()).max(1.0);
        remember(&mut pairs, &here, &next, &direction, step);
        here = next;
        if reduction <= f64::EPSILON * REDUCTION_UNITS * scale {
            break;
        }
    }
    Minimum {
        x: here.x,
        value: here.value,
    }
}

/// The quasi-Newton direction from the pairs (two-loop recursion), scaled by the last curvature.
fn descent_direction(gradient: &[f64], pairs: &[Pair]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = vec![0.0; pairs.len()];
    for (weight, pair) in weights.iter_mut().zip(pairs).rev() {
        *weight = dot(&pair.step, &direction) / pair.curvature;
        add_scaled(&mut direction, -*weight, &pair.change);
    }
    if let Some(last) = pairs.last() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (weight, pair) in weights.iter().zip(pairs) {
        let correction = weight - dot(&pair.change, &direction) / pair.curvature;
        add_scaled(&mut direction, correction, &pair.step);
    }
    direction
}

/// A step along the direction, or none if it leads nowhere.
fn search(
    objective: &mut dyn FnMut(&[f64]) -> f64,
    from: &Point,
    direction: &[f64],
    first_step: f64,
) -> Option<(Point, f64)> {
    let slope = dot(&from.gradient, direction);
    if slope.is_nan() || slope >= 0.0 {
        return None;
    }
    let mut line = LineSearch::new(from.value, slope, first_step, MAX_STEP);
    let mut step = first_step;
    for _ in 0..MAX_TRIALS {
        let x = from
            .x
            .iter()
            .zip(direction)
            .map(|(x, d)| x + step * d)
            .collect();
        let point = Point::at(objective, x);
        let trial = Trial {
            step,
            value: point.value,
            slope: dot(&point.gradient, direction),
        };
        match line.advance(trial) {
            Next::Evaluate(next) => step = next,
            Next::Accept => return Some((point, step)),
        }
    }
    None
}

/// Stores the pair of the last move unless its curvature is lost in rounding.
fn remember(pairs: &mut Vec<Pair>, from: &Point, to: &Point, direction: &[f64], step: f64) {
    let change: Vec<f64> = to
        .gradient
        .iter()
        .zip(&from.gradient)
        .map(|(a, b)| a - b)
        .collect();
    let slope_before = dot(&from.gradient, direction);
    let curvature = (dot(&to.gradient, direction) - slope_before) * step;
    if curvature <= -f64::EPSILON * slope_before * step || curvature.is_nan() {
        return;
    }
    if pairs.len() == MEMORY {
        pairs.remove(0);
    }
    let step = direction.iter().map(|d| d * step).collect();
    pairs.push(Pair {
        step,
        change,
        curvature,
    });
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(target: &mut [f64], factor: f64, source: &[f64]) {
    for (t, s) in target.iter_mut().zip(source) {
        *t += factor * s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_curved_valley() {
        let mut rosenbrock =
            |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let minimum = minimise(&mut rosenbrock, vec![-1.2, 1.0], 200);
        assert!((minimum.x[0] - 1.0).abs() < 1e-2 && (minimum.x[1] - 1.0).abs() < 1e-2);
        assert!(minimum.value < 1e-4);
    }

    #[test]
    fn stops_at_the_iteration_limit_and_at_once_where_flat() {
        let mut calls = 0;
        let mut bowl = |x: &[f64]| {
            calls += 1;
            x[0] * x[0] + 1e4 * x[1] * x[1]
        };
        let minimum = minimise(&mut bowl, vec![3.0, 1.0], 1);
        assert!(minimum.value > 1e-3 && minimum.value < 1e4 + 9.0);
        let before = calls;
        assert!(before > 3);
        let minimum = minimise(&mut |_: &[f64]| 2.0, vec![3.0], 50);
        assert_eq!(
            minimum,
            Minimum {
                x: vec![3.0],
                value: 2.0
            }
        );
    }
}
