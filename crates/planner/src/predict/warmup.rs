//! Traffic windows of a recorded trace, to feed predictors before a run.
//!
//! Reads no file: the caller brings the rows.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::predictor::Predictor;

/// Windows at most, gaps included: far more than any predictor can use, far less than memory.
const MAX_WINDOWS: usize = 1_000_000;

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceRow {
    /// Arrival in milliseconds from the trace's start.
    pub timestamp_ms: f64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
}

/// Traffic of one window of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrafficWindow {
    /// Start in seconds, a multiple of the window length.
    pub start_s: i64,
    /// Requests that arrived in it.
    pub requests: u64,
    /// Mean prompt tokens, 0 without requests.
    pub mean_isl: f64,
    /// Mean generated tokens, 0 without requests.
    pub mean_osl: f64,
}

/// What becomes of windows without requests between the first and the last that have some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyWindows {
    /// They are left out, so that idle time does not exist for the predictor.
    Omit,
    /// They count as windows of no traffic.
    Keep,
}

/// Why a trace cannot warm a predictor.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum WarmupError {
    /// A row without a usable time.
    #[error("row {row} (from 1): timestamp {timestamp_ms} ms is not a finite time within ±9e18 ms")]
    Timestamp {
        /// The row's number, from 1.
        row: usize,
        /// Its time as given.
        timestamp_ms: f64,
    },
    /// The trace spans too many windows.
    #[error(
        "the trace spans {windows} windows of {window_s} s, more than {MAX_WINDOWS}; \
         give a longer interval or a shorter trace"
    )]
    TooLong {
        /// Windows from the first to the last request.
        windows: u64,
        /// Length of a window in seconds.
        window_s: u32,
    },
}

#[derive(Default)]
struct Sums {
    requests: u64,
    input: u128,
    output: u128,
}

/// Groups requests into windows of `window_s` seconds, ordered by time; rows may come in any order.
///
/// # Errors
/// [`WarmupError`] for a time that is not finite, or a trace of more than a million windows.
///
/// ```
/// use planner::{EmptyWindows, TraceRow, traffic_windows};
/// use std::num::NonZeroU32;
///
/// let row = |timestamp_ms, input_tokens| TraceRow { timestamp_ms, input_tokens, output_tokens: 8 };
/// let rows = [row(0.0, 100), row(59_999.0, 200), row(130_000.0, 50)];
/// let windows = traffic_windows(rows, NonZeroU32::new(60).unwrap(), EmptyWindows::Keep)?;
/// let isl: Vec<f64> = windows.iter().map(|w| w.mean_isl).collect();
/// assert_eq!(isl, [150.0, 0.0, 50.0]);
/// # Ok::<(), planner::WarmupError>(())
/// ```
pub fn traffic_windows(
    rows: impl IntoIterator<Item = TraceRow>,
    window_s: NonZeroU32,
    empty: EmptyWindows,
) -> Result<Vec<TrafficWindow>, WarmupError> {
    let mut windows: BTreeMap<i64, Sums> = BTreeMap::new();
    for (index, row) in rows.into_iter().enumerate() {
        let window = (row.timestamp_ms / 1000.0 / f64::from(window_s.get())).floor();
        if !row.timestamp_ms.is_finite() || row.timestamp_ms.abs() > 9e18 {
            return Err(WarmupError::Timestamp {
                row: index + 1,
                timestamp_ms: row.timestamp_ms,
            });
        }
        let sums = windows.entry(window as i64).or_default();
        sums.requests += 1;
        sums.input += u128::from(row.input_tokens);
        sums.output += u128::from(row.output_tokens);
    }
    if empty == EmptyWindows::Keep {
        fill_gaps(&mut windows, window_s)?;
    }
    let window = |(index, sums): (i64, Sums)| {
        let mean = |sum: u128| {
            if sums.requests == 0 {
                0.0
            } else {
                sum as f64 / sums.requests as f64
            }
        };
        TrafficWindow {
            start_s: index * i64::from(window_s.get()),
            requests: sums.requests,
            mean_isl: mean(sums.input),
            mean_osl: mean(sums.output),
        }
    };
    Ok(windows.into_iter().map(window).collect())
}

fn fill_gaps(windows: &mut BTreeMap<i64, Sums>, window_s: NonZeroU32) -> Result<(), WarmupError> {
    let (Some(first), Some(last)) = (
        windows.keys().next().copied(),
        windows.keys().next_back().copied(),
    ) else {
        return Ok(());
    };
    let span = last.abs_diff(first) + 1;
    if span > MAX_WINDOWS as u64 {
        return Err(WarmupError::TooLong {
            windows: span,
            window_s: window_s.get(),
        });
    }
    for index in first..=last {
        windows.entry(index).or_default();
    }
    Ok(())
}

/// The predictors of a planner's traffic.
#[derive(Debug)]
pub struct TrafficPredictors<'a> {
    /// Requests per window.
    pub requests: &'a mut dyn Predictor,
    /// Mean prompt tokens.
    pub isl: &'a mut dyn Predictor,
    /// Mean generated tokens.
    pub osl: &'a mut dyn Predictor,
}

impl TrafficPredictors<'_> {
    /// Feeds windows in order, then skips zeros again: a live service starts idle.
    pub fn warm_up(&mut self, windows: &[TrafficWindow]) {
        for window in windows {
            self.requests.observe(window.requests as f64);
            self.isl.observe(window.mean_isl);
            self.osl.observe(window.mean_osl);
        }
        for predictor in [&mut self.requests, &mut self.isl, &mut self.osl] {
            predictor.reset_idle_skip();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{PredictorKind, PredictorSettings, build_predictor};

    fn rows(entries: &[(f64, u64, u64)]) -> Vec<TraceRow> {
        let row = |(timestamp_ms, input_tokens, output_tokens): &(f64, u64, u64)| TraceRow {
            timestamp_ms: *timestamp_ms,
            input_tokens: *input_tokens,
            output_tokens: *output_tokens,
        };
        entries.iter().map(row).collect()
    }

    fn minute() -> NonZeroU32 {
        NonZeroU32::new(60).expect("not zero")
    }

    #[test]
    fn windows_with_and_without_gaps() {
        let trace = rows(&[
            (0.0, 100, 10),
            (1500.0, 300, 30),
            (59_999.0, 200, 5),
            (60_000.0, 50, 7),
            (200_000.0, 80, 9),
        ]);
        let window = |start_s, requests, mean_isl, mean_osl| TrafficWindow {
            start_s,
            requests,
            mean_isl,
            mean_osl,
        };
        let busy = [
            window(0, 3, 200.0, 15.0),
            window(60, 1, 50.0, 7.0),
            window(180, 1, 80.0, 9.0),
        ];
        let omitted = traffic_windows(trace.clone(), minute(), EmptyWindows::Omit);
        assert_eq!(omitted.as_deref(), Ok(busy.as_slice()));
        let kept = traffic_windows(trace, minute(), EmptyWindows::Keep).expect("windows");
        assert_eq!(kept.len(), 4);
        assert_eq!(kept[2], window(120, 0, 0.0, 0.0));
    }

    #[test]
    fn unusable_times_are_named() {
        let error = traffic_windows(
            rows(&[(0.0, 1, 1), (f64::NAN, 1, 1)]),
            minute(),
            EmptyWindows::Omit,
        );
        assert!(matches!(error, Err(WarmupError::Timestamp { row: 2, .. })));
        let error = traffic_windows(
            rows(&[(0.0, 1, 1), (1e17, 1, 1)]),
            minute(),
            EmptyWindows::Keep,
        );
        assert!(matches!(
            error,
            Err(WarmupError::TooLong { window_s: 60, .. })
        ));
        assert_eq!(
            traffic_windows([], minute(), EmptyWindows::Keep),
            Ok(vec![])
        );
    }

    #[test]
    fn warm_predictors_skip_the_idle_start() {
        let settings = PredictorSettings {
            kind: PredictorKind::Constant,
            ..Default::default()
        };
        let mut built = [(); 3].map(|()| build_predictor(&settings));
        let [requests, isl, osl] = &mut built;
        let windows = traffic_windows(rows(&[(0.0, 100, 10)]), minute(), EmptyWindows::Omit);
        TrafficPredictors {
            requests: &mut **requests,
            isl: &mut **isl,
            osl: &mut **osl,
        }
        .warm_up(&windows.expect("windows"));
        for predictor in &mut built {
            predictor.observe(0.0);
            assert_eq!(predictor.points(), 1);
        }
        assert_eq!(built[1].predict_next(), Ok(100.0));
    }
}
