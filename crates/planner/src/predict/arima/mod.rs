//! Automatic ARIMA: how often to difference, which order, which parameters, and a one-step forecast.
//!
//! The order is searched with a stepwise walk over AIC (Hyndman & Khandakar 2008), the parameters maximise the exact
//! Gaussian likelihood of the state-space form, and the optimiser is a limited-memory BFGS stopped after a few
//! iterations. Short series are fitted before they converge, so the optimiser's path is part of the answer: start
//! values, difference step, line search and stopping rule are those of the usual Python stack (`pmdarima` over
//! `statsmodels` over L-BFGS-B), settled by experiment.

mod forecaster;
mod kpss;
mod lbfgs;
mod least_squares;
mod likelihood;
mod line_search;
mod model;
mod start;
mod stationary;
mod stepwise;

pub(super) use forecaster::Arima;
