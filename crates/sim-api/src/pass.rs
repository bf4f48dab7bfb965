//! Forward passes and token gaps, many at once.
//!
//! An engine that skips what does not change reports a run of equal or
//! similar passes as one value.

use sim_core::{SimDuration, SimTime};

/// The durations of consecutive passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PassDurations<'a> {
    /// `passes` passes of the same length.
    Constant {
        /// Length of each.
        each: SimDuration,
        /// How many; at least 1.
        passes: u32,
    },
    /// One pass per value: the entries `first..first + values.len()` of a row
    /// of step times that never changes during a run.
    Row {
        /// Which row: equal keys mean equal rows for all engines of a run that
        /// share a step-time model.
        key: u64,
        /// Index of the first value in the row.
        first: u32,
        /// Nanoseconds, one a pass; not empty.
        values: &'a [u64],
    },
}

impl PassDurations<'_> {
    /// How many passes.
    pub fn passes(&self) -> u32 {
        match *self {
            Self::Constant { passes, .. } => passes,
            Self::Row { values, .. } => u32::try_from(values.len()).unwrap_or(u32::MAX),
        }
    }

    /// The length of pass `index`.
    ///
    /// # Panics
    /// If `index` is not below [`PassDurations::passes`].
    pub fn get(&self, index: u32) -> SimDuration {
        match *self {
            Self::Constant { each, passes } => {
                assert!(index < passes, "pass {index} of a run of {passes}");
                each
            }
            Self::Row { values, .. } => SimDuration::from_ns(values[index as usize]),
        }
    }

    /// The length of all passes together.
    pub fn total(&self) -> SimDuration {
        match *self {
            Self::Constant { each, passes } => each * u64::from(passes),
            Self::Row { values, .. } => SimDuration::from_ns(values.iter().sum()),
        }
    }
}

/// Gaps between consecutive tokens of requests: each of `requests` requests
/// received one token at the end of each pass, and its token before that
/// exactly one duration earlier.
///
/// Gaps of no length, between the tokens of one burst of speculative decoding,
/// may be told for many passes at once; their `start` then lies within these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenGaps<'a> {
    /// Start of the first gap: where the first duration begins.
    pub start: SimTime,
    /// Gaps a pass.
    pub requests: u32,
    /// The gaps, one duration a pass.
    pub durations: PassDurations<'a>,
}

/// Count, sum and sum of squares of token counts, from which mean and
/// population variance follow exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many.
    pub count: u32,
    /// Σ x.
    pub sum: u64,
    /// Σ x².
    pub sum_of_squares: u128,
}

impl Spread {
    /// Adds one value.
    pub fn add(&mut self, value: u64) {
        self.count += 1;
        self.sum += value;
        self.sum_of_squares += u128::from(value) * u128::from(value);
    }

    /// Takes one value out again.
    pub fn remove(&mut self, value: u64) {
        self.count -= 1;
        self.sum -= value;
        self.sum_of_squares -= u128::from(value) * u128::from(value);
    }

    /// Adds `by` to each of the values.
    pub fn shift(&mut self, by: u64) {
        let (count, sum) = (u128::from(self.count), u128::from(self.sum));
        let by = u128::from(by);
        self.sum_of_squares += 2 * by * sum + count * by * by;
        self.sum += u64::from(self.count) * by as u64;
    }

    /// Population variance; 0 if empty.
    pub fn variance(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let n = u128::from(self.count);
        let sum = u128::from(self.sum);
        // Exact in integers: n·Σx² − (Σx)² ≥ 0.
        let numerator = n * self.sum_of_squares - sum * sum;
        numerator as f64 / (n * n) as f64
    }
}

/// The forward-pass metrics (FPM) of one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassRecord {
    /// Full prompt lengths of the requests with prompt tokens in this pass.
    pub prefill_lengths: Spread,
    /// Prompt tokens computed by this pass.
    pub prefill_tokens: u64,
    /// Tokens these requests had in KV before: cached prefix and earlier chunks.
    pub prefill_kv_tokens: u64,
    /// Contexts (prompt plus tokens generated before this pass) of the requests
    /// scheduled without any prompt token.
    pub decode_contexts: Spread,
    /// Prompt lengths of the never-admitted requests waiting at the end of the pass.
    pub queued_prefill: Spread,
    /// Contexts of the preempted requests waiting at the end of the pass.
    pub queued_decode: Spread,
    /// Tokens made visible by requests counted in `decode_contexts` (speculative
    /// decoding makes it exceed their number); for the accept length.
    pub decode_tokens: u64,
    /// How many requests those tokens belong to.
    pub decode_forwards: u64,
}

/// Consecutive passes of one worker. Pass `i` starts where pass `i - 1` ends
/// and is equal to `first` but for `decode_contexts`, each of which has grown
/// by `i`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassRun<'a> {
    /// Start of the first pass.
    pub start: SimTime,
    /// The first pass.
    pub first: PassRecord,
    /// Their lengths.
    pub durations: PassDurations<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_equals_adding_shifted_values() {
        let (mut shifted, mut added) = (Spread::default(), Spread::default());
        for value in [3, 10, 4_000_000_000] {
            shifted.add(value);
            added.add(value + 7);
        }
        shifted.shift(7);
        assert_eq!(shifted, added);
    }

    #[test]
    fn variance_is_of_the_population() {
        let mut spread = Spread::default();
        assert!(spread.variance().abs() < f64::EPSILON);
        spread.add(1);
        spread.add(3);
        assert!((spread.variance() - 1.0).abs() < f64::EPSILON);
        spread.remove(3);
        assert!(spread.variance().abs() < f64::EPSILON);
    }
}
