//! Time as whole nanoseconds, and the one door from floating point.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub};
use std::time::Duration;

/// An instant of simulated time: nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A span of simulated time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

/// A floating-point number of milliseconds or seconds that is no span of time.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is not a duration: expected a finite number, at least 0 and below 584 years")]
pub struct DurationError(pub f64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than every event.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `ns` nanoseconds after the start.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the start.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Milliseconds since the start, for output.
    pub fn as_ms(self) -> f64 {
        ns_to_ms(self.0)
    }

    /// Seconds since the start, for output.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The span from `earlier` to `self`, zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// `self` plus `span`, capped at [`SimTime::MAX`].
    pub const fn saturating_add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `ns` nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Rounds `ms` milliseconds to whole nanoseconds, ties to even on the
    /// exact binary value of `ms / 1000` seconds (the reference's rule).
    ///
    /// # Errors
    /// NaN, infinite, negative, or longer than 584 years.
    pub fn try_from_ms(ms: f64) -> Result<Self, DurationError> {
        Self::try_from_secs(ms / 1000.0).map_err(|_| DurationError(ms))
    }

    /// Rounds `secs` seconds to whole nanoseconds, ties to even.
    ///
    /// # Errors
    /// NaN, infinite, negative, or longer than 584 years.
    pub fn try_from_secs(secs: f64) -> Result<Self, DurationError> {
        // `-0.0` is a duration of zero, not a negative one.
        let duration = Duration::try_from_secs_f64(secs + 0.0).map_err(|_| DurationError(secs))?;
        u64::try_from(duration.as_nanos())
            .map(Self)
            .map_err(|_| DurationError(secs))
    }

    /// Length in nanoseconds.
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// Length in milliseconds, for output.
    pub fn as_ms(self) -> f64 {
        ns_to_ms(self.0)
    }

    /// Length in seconds, for output.
    pub fn as_secs(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whether the span is empty.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self` divided by a speed-up `ratio`, rounded again to whole
    /// nanoseconds; a ratio of zero or less leaves the span as it is.
    ///
    /// # Errors
    /// A `ratio` so small that the result is no duration.
    pub fn sped_up(self, ratio: f64) -> Result<Self, DurationError> {
        // The exact comparison keeps the common, unscaled case free of rounding.
        if ratio <= 0.0 || ratio == 1.0 || self.is_zero() {
            return Ok(self);
        }
        Self::try_from_ms(self.as_reference_ms() / ratio)
    }

    /// The reference's way back to milliseconds: whole seconds plus the
    /// nanosecond rest, times 1000.
    fn as_reference_ms(self) -> f64 {
        let secs = (self.0 / 1_000_000_000) as f64;
        let rest = (self.0 % 1_000_000_000) as f64 / 1e9;
        (secs + rest) * 1000.0
    }
}

/// Division by 10^6 is correctly rounded, so equal instants print equal.
fn ns_to_ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

impl Add<SimDuration> for SimTime {
    type Output = Self;
    fn add(self, span: SimDuration) -> Self {
        Self(self.0 + span.0)
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        self.0 += span.0;
    }
}

impl Sub for SimTime {
    type Output = SimDuration;
    fn sub(self, earlier: Self) -> SimDuration {
        SimDuration(self.0 - earlier.0)
    }
}

impl Add for SimDuration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for SimDuration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<u64> for SimDuration {
    type Output = Self;
    fn mul(self, count: u64) -> Self {
        Self(self.0 * count)
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = Self>>(spans: I) -> Self {
        spans.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs())
    }
}

impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms", self.as_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_round_to_the_nearest_nanosecond() {
        assert_eq!(
            SimDuration::try_from_ms(16.50142).unwrap().as_ns(),
            16_501_420
        );
        assert_eq!(SimDuration::try_from_ms(0.000_000_4).unwrap().as_ns(), 0);
        assert_eq!(SimDuration::try_from_ms(-0.0).unwrap(), SimDuration::ZERO);
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for ms in [f64::NAN, f64::INFINITY, -1e-3, 1e30] {
            assert!(SimDuration::try_from_ms(ms).is_err(), "{ms}");
        }
    }

    #[test]
    fn a_speed_up_rounds_a_second_time_and_zero_means_unscaled() {
        let span = SimDuration::from_ns(10);
        assert_eq!(span.sped_up(3.0).unwrap().as_ns(), 3);
        assert_eq!(span.sped_up(0.0).unwrap(), span);
        assert!(span.sped_up(1e-300).is_err());
    }
}
