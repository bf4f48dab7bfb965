//! The autoscaler: regressions, predictors, load and throughput scaling, GPU budgets.

mod predict;

pub use predict::{
    ArimaOrder, EmptyWindows, FitSummary, KalmanSettings, PredictError, Predictor, PredictorKind,
    PredictorSettings, Space, TraceRow, TrafficPredictors, TrafficWindow, WarmupError,
    build_predictor, traffic_windows,
};
