//! Mean of the last values of a series.

use std::collections::VecDeque;

/// Mean over the last `window` values; zeros before the first other value are not counted, so that an engine that
/// has not worked yet does not look like one with small requests.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    window: usize,
    values: VecDeque<f64>,
    sum: f64,
}

impl MovingAverage {
    /// An empty average over the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self {
            window,
            values: VecDeque::with_capacity(window.min(1024)),
            sum: 0.0,
        }
    }

    /// Appends a value.
    pub fn add(&mut self, value: f64) {
        if self.window == 0 || (value == 0.0 && self.values.is_empty()) {
            return;
        }
        if self.values.len() == self.window
            && let Some(oldest) = self.values.pop_front()
        {
            self.sum -= oldest;
        }
        self.values.push_back(value);
        self.sum += value;
    }

    /// The mean, 0 without values.
    #[must_use]
    pub fn value(&self) -> f64 {
        if self.values.is_empty() {
            0.0
        } else {
            self.sum / self.values.len() as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_skipped_and_later_ones_count() {
        let mut average = MovingAverage::new(2);
        average.add(0.0);
        average.add(4.0);
        assert_eq!(average.value(), 4.0);
        average.add(0.0);
        assert_eq!(average.value(), 2.0);
        average.add(0.0);
        assert_eq!(average.value(), 0.0);
    }

    #[test]
    fn an_empty_window_keeps_nothing() {
        let mut average = MovingAverage::new(0);
        average.add(4.0);
        assert_eq!(average.value(), 0.0);
    }
}
