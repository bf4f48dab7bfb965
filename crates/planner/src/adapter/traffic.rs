//! Means of a window of traffic.

use sim_api::Traffic;

use crate::tick::ObservedTraffic;

/// A window in the figures that planners use. Means of nothing are 0, or none where 0 would say something.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TrafficMeans {
    /// Length in seconds.
    pub duration_s: f64,
    /// Requests completed.
    pub num_req: f64,
    /// Mean prompt tokens.
    pub isl: f64,
    /// Mean output tokens.
    pub osl: f64,
    /// Mean TTFT in milliseconds.
    pub ttft_ms: f64,
    /// Mean inter-token latency in milliseconds.
    pub itl_ms: f64,
    /// Mean prefix-cache hit rate at admission.
    pub kv_hit_rate: Option<f64>,
    /// Visible tokens per decode step and request.
    pub accept_length: Option<f64>,
}

fn mean(sum: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

impl TrafficMeans {
    /// The means of a window of sums.
    #[must_use]
    pub fn of(traffic: &Traffic) -> Self {
        let per_request = |sum: u64| mean(sum as f64, traffic.requests).unwrap_or(0.0);
        Self {
            duration_s: traffic.duration.as_secs(),
            num_req: traffic.requests as f64,
            isl: per_request(traffic.input_tokens),
            osl: per_request(traffic.output_tokens),
            ttft_ms: mean(traffic.ttft.1.as_ms(), traffic.ttft.0).unwrap_or(0.0),
            itl_ms: mean(traffic.itl_ms.1, traffic.itl_ms.0).unwrap_or(0.0),
            kv_hit_rate: mean(traffic.hit_rate.1, traffic.hit_rate.0),
            accept_length: mean(traffic.decode_forwards.1 as f64, traffic.decode_forwards.0),
        }
    }

    /// What the state machine is told of it.
    pub(super) fn observed(&self) -> ObservedTraffic {
        ObservedTraffic {
            duration_s: self.duration_s,
            num_req: self.num_req,
            isl: self.isl,
            osl: self.osl,
            kv_hit_rate: self.kv_hit_rate,
            accept_length: self.accept_length,
        }
    }
}

/// Extends a window by the one after it.
pub fn merge_traffic(window: &mut Traffic, next: &Traffic) {
    window.duration += next.duration;
    window.requests += next.requests;
    window.input_tokens += next.input_tokens;
    window.output_tokens += next.output_tokens;
    window.ttft.0 += next.ttft.0;
    window.ttft.1 += next.ttft.1;
    window.itl_ms.0 += next.itl_ms.0;
    window.itl_ms.1 += next.itl_ms.1;
    window.hit_rate.0 += next.hit_rate.0;
    window.hit_rate.1 += next.hit_rate.1;
    window.decode_forwards.0 += next.decode_forwards.0;
    window.decode_forwards.1 += next.decode_forwards.1;
}
