//! How often to difference: the KPSS test of level stationarity (Kwiatkowski, Phillips, Schmidt & Shin 1992), at the
//! 5 % level, repeated on the differences.

/// Critical value at 5 % (table 1 of the paper).
const CRITICAL_VALUE: f64 = 0.463;
const MAX_DIFFERENCES: usize = 2;

/// Differences needed, at most two; a constant series needs no further one.
pub(super) fn differences_needed(series: &[f64]) -> usize {
    let mut series = series.to_vec();
    for differences in 0..MAX_DIFFERENCES {
        if is_constant(&series) || !rejects_stationarity(&series) {
            return differences;
        }
        series = difference(&series);
    }
    MAX_DIFFERENCES
}

/// Whether all values are equal (an empty series is).
pub(super) fn is_constant(series: &[f64]) -> bool {
    series.windows(2).all(|pair| pair[0] == pair[1])
}

/// First differences.
pub(super) fn difference(series: &[f64]) -> Vec<f64> {
    series.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The test: partial sums of the deviations from the mean against a Bartlett-weighted long-run variance.
fn rejects_stationarity(series: &[f64]) -> bool {
    let n = series.len() as f64;
    let mean = series.iter().sum::<f64>() / n;
    let deviations: Vec<f64> = series.iter().map(|y| y - mean).collect();
    let lags = (4.0 * (n / 100.0).powf(0.25)) as usize;
    let autocovariance = |lag: usize| {
        deviations
            .iter()
            .zip(&deviations[lag..])
            .map(|(a, b)| a * b)
            .sum::<f64>()
            / n
    };
    let long_run = autocovariance(0)
        + (1..=lags.min(series.len().saturating_sub(1)))
            .map(|lag| 2.0 * (1.0 - lag as f64 / (lags as f64 + 1.0)) * autocovariance(lag))
            .sum::<f64>();
    let mut partial = 0.0;
    let mut spread = 0.0;
    for e in &deviations {
        partial += e;
        spread += partial * partial;
    }
    spread / (n * n) / long_run > CRITICAL_VALUE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_known_series() {
        let polynomial = |degree: i32, n: i32| -> Vec<f64> {
            (1..=n).map(|t| f64::from(t.pow(degree as u32))).collect()
        };
        assert_eq!(differences_needed(&[5.0; 6]), 0);
        assert_eq!(differences_needed(&polynomial(1, 7)), 0);
        assert_eq!(differences_needed(&polynomial(1, 39)), 1);
        assert_eq!(differences_needed(&polynomial(2, 29)), 2);
        assert_eq!(differences_needed(&polynomial(3, 29)), 2);
        assert_eq!(
            differences_needed(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]),
            0
        );
    }
}
