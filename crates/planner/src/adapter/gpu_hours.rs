//! GPU-hours charged tick by tick.

/// Charges the replicas of a tick for the time since the last one.
///
/// Nothing is charged before the first tick or after the last; an exact integral needs the worker's own times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GpuHours {
    last_s: f64,
    hours: f64,
}

impl GpuHours {
    /// Charges `gpus` since the last call. Returns the sum.
    pub fn charge(&mut self, now_s: f64, gpus: f64) -> f64 {
        if self.last_s > 0.0 {
            self.hours += gpus * (now_s - self.last_s) / 3600.0;
        }
        self.last_s = now_s;
        self.hours
    }

    /// GPU-hours charged so far.
    #[must_use]
    pub fn hours(&self) -> f64 {
        self.hours
    }
}
