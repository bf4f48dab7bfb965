//! The autoscaler: regressions, predictors, load and throughput scaling, GPU budgets.

mod predict;

pub use predict::{
    ArimaOrder, FitSummary, KalmanSettings, PredictError, Predictor, PredictorKind,
    PredictorSettings, Space, build_predictor,
};
