//! Mean of the last values of a series.

/// Mean over the last `window` values; zeros before the first other value are not counted, so that an engine that
/// has not worked yet does not look like one with small requests.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    window: usize,
    /// The values; once there are `window` of them, a ring whose oldest is at `oldest`.
    values: Vec<f64>,
    oldest: usize,
    sum: f64,
}

impl MovingAverage {
    /// An empty average over the last `window` values.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self {
            window,
            values: Vec::new(),
            oldest: 0,
            sum: 0.0,
        }
    }

    /// Appends a value.
    pub fn add(&mut self, value: f64) {
        if self.values.len() < self.window {
            if value != 0.0 || !self.values.is_empty() {
                self.values.push(value);
                self.sum += value;
            }
        } else if let Some(oldest) = self.values.get_mut(self.oldest) {
            self.sum -= *oldest;
            self.sum += value;
            *oldest = value;
            self.oldest += 1;
            if self.oldest == self.window {
                self.oldest = 0;
            }
        }
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
