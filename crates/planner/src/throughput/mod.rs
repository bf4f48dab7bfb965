//! Throughput-based scaling: the replicas that the predicted traffic needs.

mod demand;
mod series;

pub use series::SeriesState;
pub(crate) use series::TrafficSeries;
