//! Forecasting of the next traffic window from the past ones.
//!
//! A [`Predictor`] is fed one value per throughput interval (requests in the window, mean ISL, mean OSL or KV hit
//! rate; the unit is the caller's) and asked for the next. It knows nothing of planners, pools or clocks.
//!
//! | kind | idea | source |
//! |---|---|---|
//! | `constant` | the last value | - |
//! | `kalman` | local linear trend | Harvey, *Forecasting, structural time series models and the Kalman filter* (1989) |
//! | `arima` | automatic ARIMA by stepwise AIC | Hyndman & Khandakar, *J. Stat. Softw.* 27(3), 2008 |
//! | `prophet` | piecewise linear trend with sparse changes | Taylor & Letham, *The American Statistician* 72(1), 2018 |

mod arima;
mod constant;
mod history;
mod kalman;
mod predictor;
mod prophet;
mod settings;
mod warmup;

pub use predictor::{ArimaOrder, FitSummary, PredictError, Predictor, Space};
pub use settings::{KalmanSettings, PredictorKind, PredictorSettings, build_predictor};
pub use warmup::{
    EmptyWindows, TraceRow, TrafficPredictors, TrafficWindow, WarmupError, traffic_windows,
};
