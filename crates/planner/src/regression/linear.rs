//! What the three models share: samples, a lazy fit with sign rules, predictions.

use super::ols::{Line, least_squares};
use super::samples::{Sample, SampleStore};

/// No pass is predicted to be shorter, in seconds.
const MIN_PASS_S: f64 = 1e-6;

/// A slightly negative coefficient is rounding, not a trend.
const SIGN_TOLERANCE: f64 = 1e-6;

/// How much a model keeps and needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearSettings {
    /// Samples kept; also the window of the moving averages.
    pub max_samples: usize,
    /// Samples needed before a model answers.
    pub min_observations: usize,
    /// Cells of the feature range; a perfect square.
    pub bucket_count: u64,
}

impl Default for LinearSettings {
    fn default() -> Self {
        Self {
            max_samples: 64,
            min_observations: 5,
            bucket_count: 16,
        }
    }
}

/// The last fit, for logs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FitState {
    /// Whether the model answers with it: no sample came since, and its signs are sound.
    pub fitted: bool,
    /// Coefficients and intercept of the last attempt, rejected or not.
    pub line: Option<Line>,
}

/// A fit that passed the sign rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit(Line);

impl Fit {
    /// Seconds of a pass with features `x`.
    pub(super) fn seconds(&self, x: [f64; 2]) -> f64 {
        self.0.at(x).max(MIN_PASS_S)
    }
}

/// Samples and their fit.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    store: SampleStore,
    min_observations: usize,
    /// The feature whose negative coefficient is set to 0 instead of rejecting the fit.
    relaxed: Option<usize>,
    stale: bool,
    state: FitState,
}

impl Linear {
    pub(super) fn new(features: usize, relaxed: Option<usize>, settings: &LinearSettings) -> Self {
        Self {
            store: SampleStore::new(features, settings.max_samples, settings.bucket_count),
            min_observations: settings.min_observations,
            relaxed,
            stale: true,
            state: FitState::default(),
        }
    }

    /// Stores a pass of positive length; others say nothing about time.
    pub(super) fn observe(&mut self, x: [f64; 2], wall_s: f64) {
        if wall_s > 0.0 {
            self.store.insert(Sample { x, y: wall_s });
            self.stale = true;
            self.state.fitted = false;
        }
    }

    pub(super) fn store(&self) -> &SampleStore {
        &self.store
    }

    pub(super) fn state(&self) -> FitState {
        self.state
    }

    /// Enough samples; the fit may still be rejected.
    pub(super) fn has_sufficient_data(&self) -> bool {
        self.store.len() >= self.min_observations
    }

    /// The fit over what is stored now, if it is sound.
    pub(super) fn fit(&mut self) -> Option<Fit> {
        if self.stale && self.has_sufficient_data() {
            self.refit();
        }
        self.state.line.filter(|_| self.state.fitted).map(Fit)
    }

    fn refit(&mut self) {
        let samples: Vec<Sample> = self.store.iter().copied().collect();
        let mut line = least_squares(&samples);
        let sound = line.intercept.is_finite()
            && (line.coef.iter().enumerate())
                .all(|(feature, &coef)| self.relaxed == Some(feature) || coef >= 0.0);
        if let Some(coef) = self.relaxed.map(|feature| &mut line.coef[feature])
            && sound
            && *coef < -SIGN_TOLERANCE
        {
            // The intercept is left as it is: the reference's rule, on which its decisions rest.
            *coef = 0.0;
        }
        self.stale = false;
        self.state = FitState {
            fitted: sound,
            line: Some(line),
        };
    }
}
