//! Which predictor to build, and with what settings.

use super::arima::Arima;
use super::constant::Constant;
use super::kalman::Kalman;
use super::predictor::{Predictor, Space};
use super::prophet::Prophet;

/// The predictors a configuration can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredictorKind {
    /// The last value.
    Constant,
    /// Automatic ARIMA.
    Arima,
    /// Local linear trend.
    Kalman,
    /// Piecewise linear trend.
    Prophet,
}

impl PredictorKind {
    /// All kinds, in the order they are documented.
    pub const ALL: [Self; 4] = [Self::Constant, Self::Arima, Self::Kalman, Self::Prophet];

    /// The name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Arima => "arima",
            Self::Kalman => "kalman",
            Self::Prophet => "prophet",
        }
    }

    /// The kind of that name (exact), if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Noise variances of the local linear trend filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KalmanSettings {
    /// Variance of the level's own moves per step.
    pub q_level: f64,
    /// Variance of the slope's moves per step.
    pub q_trend: f64,
    /// Variance of an observation.
    pub r: f64,
}

impl Default for KalmanSettings {
    fn default() -> Self {
        Self {
            q_level: 1.0,
            q_trend: 0.1,
            r: 10.0,
        }
    }
}

/// What the predictors need from a planner configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictorSettings {
    /// The model.
    pub kind: PredictorKind,
    /// Fit `ln(1 + value)` instead of the value (no effect on `constant`).
    pub log1p: bool,
    /// Noise variances, for `kalman`.
    pub kalman: KalmanSettings,
    /// How many of the last values `prophet` keeps.
    pub prophet_window: usize,
    /// Seconds between two values; `prophet` looks for daily and longer cycles.
    pub interval_s: f64,
}

impl Default for PredictorSettings {
    fn default() -> Self {
        Self {
            kind: PredictorKind::Arima,
            log1p: false,
            kalman: KalmanSettings::default(),
            prophet_window: 50,
            interval_s: 180.0,
        }
    }
}

/// An empty predictor.
///
/// ```
/// use planner::{PredictorKind, PredictorSettings, build_predictor};
///
/// let settings = PredictorSettings { kind: PredictorKind::Arima, ..Default::default() };
/// let mut requests = build_predictor(&settings);
/// for count in [152.0, 159.0, 226.0, 164.0, 205.0] {
///     requests.observe(count);
/// }
/// // Five values without memory: the forecast is their geometric mean (of `1 + count`).
/// assert_eq!(requests.predict_next()?.round(), 179.0);
/// # Ok::<(), planner::PredictError>(())
/// ```
#[must_use]
pub fn build_predictor(settings: &PredictorSettings) -> Box<dyn Predictor> {
    let space = if settings.log1p {
        Space::Log1p
    } else {
        Space::Raw
    };
    match settings.kind {
        PredictorKind::Kalman => Box::new(Kalman::new(settings.kalman, space)),
        PredictorKind::Arima => Box::new(Arima::new(space)),
        PredictorKind::Constant => Box::<Constant>::default(),
        PredictorKind::Prophet => Box::new(Prophet::new(
            space,
            settings.prophet_window,
            settings.interval_s,
        )),
    }
}
