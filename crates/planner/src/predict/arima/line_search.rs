//! Line search for the strong Wolfe conditions after J. J. Moré and D. J. Thuente, *Line search algorithms with
//! guaranteed sufficient decrease*, ACM TOMS 20 (1994).
//!
//! The caller evaluates the function along the ray; this only proposes steps.

/// Sufficient decrease, curvature and relative interval tolerances, as limited-memory BFGS codes set them.
const DECREASE: f64 = 1e-3;
const CURVATURE: f64 = 0.9;
const INTERVAL: f64 = 0.1;
/// Extrapolation while no minimiser is bracketed: between these multiples of the last move.
const EXTRAPOLATE_LOW: f64 = 1.1;
const EXTRAPOLATE_HIGH: f64 = 4.0;
/// The bracket must shrink to this fraction in two steps, or it is bisected.
const SHRINK: f64 = 0.66;

/// A point on the ray: step, value, slope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// What to do after a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Evaluate at this step.
    Evaluate(f64),
    /// The last trial is the answer: it meets the conditions, or no further progress is possible.
    Accept,
}

/// State of one search.
#[derive(Debug)]
pub(super) struct LineSearch {
    start_value: f64,
    start_slope: f64,
    max_step: f64,
    bracketed: bool,
    /// The auxiliary function of the paper's first stage is in use.
    first_stage: bool,
    best: Trial,
    other: Trial,
    low: f64,
    high: f64,
    width: f64,
    width_before: f64,
}

impl LineSearch {
    /// A search from a point with this value and (negative) slope, whose first trial will be at `first_step`.
    pub(super) fn new(value: f64, slope: f64, first_step: f64, max_step: f64) -> Self {
        let origin = Trial {
            step: 0.0,
            value,
            slope,
        };
        Self {
            start_value: value,
            start_slope: slope,
            max_step,
            bracketed: false,
            first_stage: true,
            best: origin,
            other: origin,
            low: 0.0,
            high: first_step + EXTRAPOLATE_HIGH * first_step,
            width: max_step,
            width_before: 2.0 * max_step,
        }
    }

    /// Takes the evaluation of the last proposed step.
    pub(super) fn advance(&mut self, trial: Trial) -> Next {
        let decrease_slope = DECREASE * self.start_slope;
        let allowed = self.start_value + trial.step * decrease_slope;
        if self.first_stage && trial.value <= allowed && trial.slope >= 0.0 {
            self.first_stage = false;
        }
        if self.is_stuck(&trial, allowed, decrease_slope)
            || (trial.value <= allowed && trial.slope.abs() <= -CURVATURE * self.start_slope)
        {
            return Next::Accept;
        }
        let auxiliary = self.first_stage && trial.value <= self.best.value && trial.value > allowed;
        let mut step = if auxiliary {
            self.update_interval_tilted(trial, decrease_slope)
        } else {
            self.update_interval(trial)
        };
        if self.bracketed {
            if (self.other.step - self.best.step).abs() >= SHRINK * self.width_before {
                step = self.best.step + 0.5 * (self.other.step - self.best.step);
            }
            self.width_before = self.width;
            self.width = (self.other.step - self.best.step).abs();
            self.low = self.best.step.min(self.other.step);
            self.high = self.best.step.max(self.other.step);
        } else {
            self.low = step + EXTRAPOLATE_LOW * (step - self.best.step);
            self.high = step + EXTRAPOLATE_HIGH * (step - self.best.step);
        }
        step = step.max(0.0).min(self.max_step);
        if self.bracketed
            && (step <= self.low
                || step >= self.high
                || self.high - self.low <= INTERVAL * self.high)
        {
            step = self.best.step;
        }
        Next::Evaluate(step)
    }

    /// Rounding, a tight bracket or the ends of the ray leave no better step.
    fn is_stuck(&self, trial: &Trial, allowed: f64, decrease_slope: f64) -> bool {
        let bracket_exhausted = self.bracketed
            && (trial.step <= self.low
                || trial.step >= self.high
                || self.high - self.low <= INTERVAL * self.high);
        let at_far_end =
            trial.step == self.max_step && trial.value <= allowed && trial.slope <= decrease_slope;
        let at_near_end =
            trial.step == 0.0 && (trial.value > allowed || trial.slope >= decrease_slope);
        bracket_exhausted || at_far_end || at_near_end
    }

    /// The interval update on the function minus the sufficient-decrease line.
    fn update_interval_tilted(&mut self, trial: Trial, tilt: f64) -> f64 {
        let lower = |t: Trial| Trial {
            step: t.step,
            value: t.value - t.step * tilt,
            slope: t.slope - tilt,
        };
        let raise = |t: Trial| Trial {
            step: t.step,
            value: t.value + t.step * tilt,
            slope: t.slope + tilt,
        };
        self.best = lower(self.best);
        self.other = lower(self.other);
        let step = self.update_interval(lower(trial));
        self.best = raise(self.best);
        self.other = raise(self.other);
        step
    }

    /// Proposes the next step from the interpolants of the paper's four cases and moves the interval's ends.
    fn update_interval(&mut self, trial: Trial) -> f64 {
        let best = self.best;
        let slope_sign = trial.slope * best.slope.signum();
        let mut next;
        if trial.value > best.value {
            next = step_after_increase(best, trial);
            self.bracketed = true;
        } else if slope_sign < 0.0 {
            next = step_after_turn(best, trial);
            self.bracketed = true;
        } else if trial.slope.abs() < best.slope.abs() {
            next = self.step_while_flattening(trial);
        } else if self.bracketed {
            next = cubic_between(self.other, trial);
        } else if trial.step > best.step {
            next = self.high;
        } else {
            next = self.low;
        }
        if trial.value > best.value {
            self.other = trial;
        } else {
            if slope_sign < 0.0 {
                self.other = best;
            }
            self.best = trial;
        }
        if next.is_nan() {
            next = trial.step;
        }
        next
    }

    /// The slope has the same sign but is flatter: the cubic may overshoot, so it is kept in bounds.
    fn step_while_flattening(&self, trial: Trial) -> f64 {
        let best = self.best;
        let (theta, scale) = cubic_terms(best, trial);
        let discriminant = (theta / scale).powi(2) - (best.slope / scale) * (trial.slope / scale);
        let mut gamma = scale * discriminant.max(0.0).sqrt();
        if trial.step > best.step {
            gamma = -gamma;
        }
        let ratio =
            ((gamma - trial.slope) + theta) / ((gamma + (best.slope - trial.slope)) + gamma);
        let cubic = if ratio < 0.0 && gamma != 0.0 {
            trial.step + ratio * (best.step - trial.step)
        } else if trial.step > best.step {
            self.high
        } else {
            self.low
        };
        let secant = secant(best, trial);
        let (cubic_move, secant_move) = ((cubic - trial.step).abs(), (secant - trial.step).abs());
        if self.bracketed {
            let next = if cubic_move < secant_move {
                cubic
            } else {
                secant
            };
            let limit = trial.step + SHRINK * (self.other.step - trial.step);
            if trial.step > best.step {
                limit.min(next)
            } else {
                limit.max(next)
            }
        } else {
            let next = if cubic_move > secant_move {
                cubic
            } else {
                secant
            };
            next.max(self.low).min(self.high)
        }
    }
}

/// The common terms of the cubic through two points with slopes: `theta` and a scale against overflow.
fn cubic_terms(a: Trial, b: Trial) -> (f64, f64) {
    let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    (theta, theta.abs().max(a.slope.abs()).max(b.slope.abs()))
}

/// Minimiser of the parabola with the slopes of both points.
fn secant(best: Trial, trial: Trial) -> f64 {
    trial.step + (trial.slope / (trial.slope - best.slope)) * (best.step - trial.step)
}

/// Higher value: the cubic's minimiser, or half-way to the parabola's if that is nearer to the best point.
fn step_after_increase(best: Trial, trial: Trial) -> f64 {
    let (theta, scale) = cubic_terms(best, trial);
    let mut gamma =
        scale * ((theta / scale).powi(2) - (best.slope / scale) * (trial.slope / scale)).sqrt();
    if trial.step < best.step {
        gamma = -gamma;
    }
    let ratio = ((gamma - best.slope) + theta) / (((gamma - best.slope) + gamma) + trial.slope);
    let span = trial.step - best.step;
    let cubic = best.step + ratio * span;
    let parabola =
        best.step + ((best.slope / ((best.value - trial.value) / span + best.slope)) / 2.0) * span;
    if (cubic - best.step).abs() < (parabola - best.step).abs() {
        cubic
    } else {
        cubic + (parabola - cubic) / 2.0
    }
}

/// Lower value and the slope changed sign: whichever of cubic and secant lies farther from the trial.
fn step_after_turn(best: Trial, trial: Trial) -> f64 {
    let cubic = cubic_between(best, trial);
    let secant = secant(best, trial);
    if (cubic - trial.step).abs() > (secant - trial.step).abs() {
        cubic
    } else {
        secant
    }
}

/// Minimiser of the cubic, measured from the trial.
fn cubic_between(anchor: Trial, trial: Trial) -> f64 {
    let (theta, scale) = cubic_terms(anchor, trial);
    let mut gamma =
        scale * ((theta / scale).powi(2) - (anchor.slope / scale) * (trial.slope / scale)).sqrt();
    if trial.step > anchor.step {
        gamma = -gamma;
    }
    let ratio = ((gamma - trial.slope) + theta) / (((gamma - trial.slope) + gamma) + anchor.slope);
    trial.step + ratio * (anchor.step - trial.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_step_decreases_enough() {
        // Functions of the paper's own kind: a steep valley, a flat start and a far minimum.
        type Function = fn(f64) -> f64;
        let functions: [(Function, Function); 3] = [
            (
                |s| -s / (s * s + 2.0),
                |s| (s * s - 2.0) / (s * s + 2.0).powi(2),
            ),
            (
                |s| (s + 0.004).powi(5) - 2.0 * (s + 0.004).powi(4),
                |s| 5.0 * (s + 0.004).powi(4) - 8.0 * (s + 0.004).powi(3),
            ),
            (|s| (s - 40.0).powi(2), |s| 2.0 * (s - 40.0)),
        ];
        for (f, df) in functions {
            for first in [1e-3, 0.1, 10.0, 1e3] {
                let (f0, g0) = (f(0.0), df(0.0));
                let mut search = LineSearch::new(f0, g0, first, 1e10);
                let mut step = first;
                for evaluation in 0.. {
                    assert!(evaluation < 40, "no end from {first}");
                    let trial = Trial {
                        step,
                        value: f(step),
                        slope: df(step),
                    };
                    match search.advance(trial) {
                        Next::Evaluate(next) => step = next,
                        Next::Accept => {
                            assert!(trial.value <= f0 + 1e-3 * step * g0);
                            break;
                        }
                    }
                }
            }
        }
    }
}
