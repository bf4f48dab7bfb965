//! A piecewise linear trend with sparse changes of slope, plus calendar cycles where the window is long enough to show
//! them (Taylor & Letham, *Forecasting at scale*, The American Statistician 72(1), 2018), at the mode of its posterior.
//!
//! Where the original calls a general optimiser, this alternates two exact steps: the coefficients for a given noise
//! (a quadratic with an L1 term) and the noise for given coefficients (a closed form).

mod design;
mod forecaster;
mod lasso;
mod posterior;

pub(super) use forecaster::Prophet;
