//! The series of traffic windows and their forecasts.

use crate::predict::{
    FitSummary, PredictError, Predictor, PredictorSettings, TrafficPredictors, TrafficWindow,
    build_predictor,
};
use crate::tick::ObservedTraffic;

/// One predictor per figure of a traffic window.
#[derive(Debug)]
pub(crate) struct TrafficSeries {
    num_req: Box<dyn Predictor>,
    isl: Box<dyn Predictor>,
    osl: Box<dyn Predictor>,
    hit_rate: Box<dyn Predictor>,
    /// Mean lengths of the last window that had requests.
    last_shape: Option<(f64, f64)>,
}

/// The forecast of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Forecast {
    pub(crate) num_req: f64,
    pub(crate) isl: f64,
    pub(crate) osl: f64,
    pub(crate) hit_rate: f64,
}

/// A predictor, for logs.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesState {
    /// The series: `num_req`, `isl`, `osl` or `kv_hit_rate`.
    pub name: &'static str,
    /// Values stored.
    pub points: usize,
    /// The last value.
    pub last: f64,
    /// The model fitted last.
    pub fit: Option<FitSummary>,
}

impl TrafficSeries {
    pub(crate) fn new(settings: &PredictorSettings) -> Self {
        Self {
            num_req: build_predictor(settings),
            isl: build_predictor(settings),
            osl: build_predictor(settings),
            hit_rate: build_predictor(settings),
            last_shape: None,
        }
    }

    /// Appends a window. A window without requests has no lengths; `carry` gives it those of the last that had some.
    pub(crate) fn observe(&mut self, traffic: &ObservedTraffic, carry: bool) {
        let shape = if traffic.num_req > 0.0 {
            self.last_shape = Some((traffic.isl, traffic.osl));
            (traffic.isl, traffic.osl)
        } else {
            self.last_shape
                .filter(|_| carry)
                .unwrap_or((traffic.isl, traffic.osl))
        };
        self.num_req.observe(traffic.num_req);
        self.isl.observe(shape.0);
        self.osl.observe(shape.1);
    }

    pub(crate) fn observe_hit_rate(&mut self, rate: f64) {
        self.hit_rate.observe(rate);
    }

    pub(crate) fn warm_up(&mut self, windows: &[TrafficWindow]) {
        TrafficPredictors {
            requests: &mut *self.num_req,
            isl: &mut *self.isl,
            osl: &mut *self.osl,
        }
        .warm_up(windows);
    }

    pub(crate) fn predict(&mut self) -> Result<Forecast, PredictError> {
        Ok(Forecast {
            num_req: self.num_req.predict_next()?,
            isl: self.isl.predict_next()?,
            osl: self.osl.predict_next()?,
            hit_rate: self.hit_rate.predict_next()?,
        })
    }

    pub(crate) fn states(&self) -> [SeriesState; 4] {
        let state = |name, predictor: &dyn Predictor| SeriesState {
            name,
            points: predictor.points(),
            last: predictor.last_value(),
            fit: predictor.fit(),
        };
        [
            state("num_req", &*self.num_req),
            state("isl", &*self.isl),
            state("osl", &*self.osl),
            state("kv_hit_rate", &*self.hit_rate),
        ]
    }
}
