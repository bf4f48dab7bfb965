//! What a tick computed on the way to its decision.

use crate::reason::{LoadReason, ThroughputReason};

/// Figures and reasons of one tick; none where the tick did not get that far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagnostics {
    /// Worst estimated TTFT over the workers, in milliseconds.
    pub estimated_ttft_ms: Option<f64>,
    /// Worst estimated inter-token latency over the workers, in milliseconds.
    pub estimated_itl_ms: Option<f64>,
    /// Predicted requests of the next window.
    pub predicted_num_req: Option<f64>,
    /// Predicted mean prompt tokens.
    pub predicted_isl: Option<f64>,
    /// Predicted mean output tokens.
    pub predicted_osl: Option<f64>,
    /// Predicted prefix-cache hit rate.
    pub predicted_kv_hit_rate: Option<f64>,
    /// Requests per second of one prefill engine.
    pub engine_rps_prefill: Option<f64>,
    /// Requests per second of one decode engine.
    pub engine_rps_decode: Option<f64>,
    /// Prefill replicas that the predicted traffic needs.
    pub lower_bound_prefill: u32,
    /// Decode replicas that the predicted traffic needs.
    pub lower_bound_decode: u32,
    /// Load-based scaling.
    pub load: Option<LoadReason>,
    /// Its prefill side, in disaggregated deployments.
    pub load_prefill: Option<LoadReason>,
    /// Its decode side, in disaggregated deployments.
    pub load_decode: Option<LoadReason>,
    /// Throughput-based scaling.
    pub throughput: Option<ThroughputReason>,
    /// Its prefill side, in disaggregated deployments.
    pub throughput_prefill: Option<ThroughputReason>,
    /// Its decode side, in disaggregated deployments.
    pub throughput_decode: Option<ThroughputReason>,
}

impl Diagnostics {
    /// Nothing known but the bounds, which outlive a tick.
    pub(crate) fn with_bounds([prefill, decode]: [u32; 2]) -> Self {
        Self {
            estimated_ttft_ms: None,
            estimated_itl_ms: None,
            predicted_num_req: None,
            predicted_isl: None,
            predicted_osl: None,
            predicted_kv_hit_rate: None,
            engine_rps_prefill: None,
            engine_rps_decode: None,
            lower_bound_prefill: prefill,
            lower_bound_decode: decode,
            load: None,
            load_prefill: None,
            load_decode: None,
            throughput: None,
            throughput_prefill: None,
            throughput_decode: None,
        }
    }

    /// One load reason for the deployment and both its sides.
    pub(crate) fn load_all(&mut self, reason: LoadReason) {
        self.load = Some(reason);
        self.load_prefill = Some(reason);
        self.load_decode = Some(reason);
    }
}
