//! What every predictor does to a value before its model sees it.

/// Turns observations into the values a model keeps: not finite becomes 0, leading zeros are dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct IdleFilter {
    active: bool,
    last: f64,
}

impl IdleFilter {
    /// The value to keep, or none for a zero before the first traffic.
    pub(super) fn accept(&mut self, value: f64) -> Option<f64> {
        let value = if value.is_finite() { value } else { 0.0 };
        if value == 0.0 && !self.active {
            return None;
        }
        self.active = true;
        self.last = value;
        Some(value)
    }

    /// Drops zeros again until the next other value.
    pub(super) fn rearm(&mut self) {
        self.active = false;
    }

    /// The value kept last, 0 if none.
    pub(super) fn last(&self) -> f64 {
        self.last
    }
}
