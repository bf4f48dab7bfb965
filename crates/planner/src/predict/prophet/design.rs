//! Explanatory columns of the model on evenly spaced times: offset, slope, changes of slope, calendar cycles.

/// Changes of slope at most, spread over the first part of the history.
const MAX_CHANGES: usize = 25;
const CHANGE_SHARE: f64 = 0.8;
const DAY_S: f64 = 86_400.0;
/// 2024-01-01 in days of the Unix epoch: when the first value of a run is dated.
const FIRST_DAY: f64 = 19_723.0;

/// A calendar cycle: its period, the number of harmonics, and the shortest history that can show it, in days.
struct Cycle {
    period: f64,
    harmonics: usize,
    min_span: f64,
}

const CYCLES: [Cycle; 3] = [
    Cycle {
        period: 365.25,
        harmonics: 10,
        min_span: 730.0,
    },
    Cycle {
        period: 7.0,
        harmonics: 3,
        min_span: 14.0,
    },
    Cycle {
        period: 1.0,
        harmonics: 4,
        min_span: 2.0,
    },
];

/// What a coefficient may be, beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Prior {
    /// Normal around 0 with this standard deviation.
    Normal(f64),
    /// Laplace around 0 with this scale.
    Laplace(f64),
}

/// Where the explained values lie in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How many values; at least 2.
    pub(super) count: usize,
    /// How many values of the run came before the first of them.
    pub(super) skipped: usize,
    /// Seconds between two values.
    pub(super) interval_s: f64,
}

/// One column, with a value for the step to forecast.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) values: Vec<f64>,
    pub(super) next: f64,
    pub(super) prior: Prior,
}

/// The columns: slope and offset first, then the changes of slope, then the cycles.
pub(super) fn columns(times: Times) -> Vec<Column> {
    let last = times.count as f64 - 1.0;
    let column = |prior, at: &dyn Fn(f64) -> f64| Column {
        values: (0..times.count).map(|i| at(i as f64)).collect(),
        next: at(times.count as f64),
        prior,
    };
    let mut columns = vec![
        column(Prior::Normal(5.0), &|i| i / last),
        column(Prior::Normal(5.0), &|_| 1.0),
    ];
    for change in changes(times.count) {
        columns.push(column(Prior::Laplace(0.05), &|i| {
            (i - change as f64).max(0.0) / last
        }));
    }
    let interval_days = times.interval_s / DAY_S;
    let span = last * interval_days;
    for cycle in CYCLES {
        if span < cycle.min_span || interval_days >= cycle.period {
            continue;
        }
        let day = |i: f64| FIRST_DAY + (times.skipped as f64 + i) * interval_days;
        for harmonic in 1..=cycle.harmonics {
            let angle = |i: f64| std::f64::consts::TAU * harmonic as f64 * day(i) / cycle.period;
            columns.push(column(Prior::Normal(10.0), &|i| angle(i).sin()));
            columns.push(column(Prior::Normal(10.0), &|i| angle(i).cos()));
        }
    }
    columns
}

/// Indices of the values at which the slope may change.
fn changes(count: usize) -> Vec<usize> {
    let history = (CHANGE_SHARE * count as f64) as usize;
    let changes = MAX_CHANGES.min(history.saturating_sub(1));
    (1..=changes)
        .map(|j| {
            let position = (j * (history - 1)) as f64 / changes as f64;
            position.round_ties_even() as usize
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lie_in_the_first_four_fifths() {
        assert_eq!(changes(5), [1, 2, 3]);
        assert_eq!(changes(10), [1, 2, 3, 4, 5, 6, 7]);
        let many = changes(50);
        assert_eq!((many.len(), many[0], many[1], many[24]), (25, 2, 3, 39));
    }

    #[test]
    fn cycles_need_their_span() {
        let count = |count, interval_s| {
            columns(Times {
                count,
                skipped: 0,
                interval_s,
            })
            .len()
        };
        assert_eq!(count(50, 180.0), 2 + 25);
        assert_eq!(count(49, 3600.0), 2 + 25 + 8);
        assert_eq!(count(48, 3600.0), 2 + 25);
        assert_eq!(count(50, 43_200.0), 2 + 25 + 8 + 6);
        assert_eq!(count(50, 86_400.0), 2 + 25 + 6);
    }
}
