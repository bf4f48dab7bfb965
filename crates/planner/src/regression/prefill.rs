//! Pass time of a prefill engine: a line in the prompt tokens of the pass.

use super::hit_rate::clamp_hit_rate;
use super::linear::{Fit, FitState, Linear, LinearSettings};
use super::moving_average::MovingAverage;
use super::samples::SampleStore;
use crate::pass::Pass;

/// What one prefill engine can do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PrefillCapacity {
    /// Requests per second; 0 if the model cannot tell.
    pub rps: f64,
    /// TTFT of a request that finds the engine idle, in milliseconds.
    pub ttft_ms: f64,
}

/// Prefill pass time from prompt tokens.
#[derive(Clone, Debug)]
pub struct PrefillModel {
    linear: Linear,
    isl: MovingAverage,
    batch: MovingAverage,
}

impl PrefillModel {
    /// A model without samples.
    #[must_use]
    pub fn new(settings: &LinearSettings) -> Self {
        Self {
            linear: Linear::new(1, None, settings),
            isl: MovingAverage::new(settings.max_samples),
            batch: MovingAverage::new(settings.max_samples),
        }
    }

    /// Learns a pass. A pass without prompt tokens pulls the average prompt down: the engine has idle capacity.
    pub fn observe(&mut self, pass: &Pass) {
        self.isl.add(if pass.num_prefill > 0 {
            pass.prefill_tokens as f64 / pass.num_prefill as f64
        } else {
            0.0
        });
        self.batch.add(pass.num_prefill as f64);
        self.linear
            .observe([pass.prefill_tokens as f64, 0.0], pass.wall_s);
    }

    /// Seconds until the first token of a next request, behind `queued_tokens` of waiting prompts; none if unknown.
    pub fn ttft_s(
        &mut self,
        queued_tokens: f64,
        max_batched: u32,
        hit_rate: Option<f64>,
    ) -> Option<f64> {
        let isl = self.isl.value();
        let fit = self.linear.fit().filter(|_| max_batched > 0)?;
        let work = (queued_tokens + isl) * (1.0 - clamp_hit_rate(hit_rate));
        Some(chunked_s(&fit, work, max_batched, 0.0))
    }

    /// What one engine serves if prompts have `isl` tokens.
    pub fn capacity(&mut self, isl: f64, max_batched: Option<u32>) -> PrefillCapacity {
        let Some(fit) = self.linear.fit().filter(|_| isl > 0.0) else {
            return PrefillCapacity::default();
        };
        let budget = max_batched.filter(|&budget| budget > 0 && isl > f64::from(budget));
        let wall = match budget {
            Some(budget) => {
                let budget = f64::from(budget);
                let whole = (isl / budget).ceil() - 1.0;
                whole * fit.seconds([budget, 0.0]) + fit.seconds([isl - whole * budget, 0.0])
            }
            None => fit.seconds([isl, 0.0]),
        };
        PrefillCapacity {
            rps: 1.0 / wall,
            ttft_ms: 1000.0 * wall,
        }
    }

    /// Whether there are enough samples.
    #[must_use]
    pub fn has_sufficient_data(&self) -> bool {
        self.linear.has_sufficient_data()
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &SampleStore {
        self.linear.store()
    }

    /// The last fit.
    #[must_use]
    pub fn fit_state(&self) -> FitState {
        self.linear.state()
    }

    /// Fits what is stored now and tells the outcome.
    pub fn refresh(&mut self) -> FitState {
        self.linear.fit();
        self.linear.state()
    }

    /// Prompt tokens per prefilling request and pass.
    #[must_use]
    pub fn avg_isl(&self) -> f64 {
        self.isl.value()
    }

    /// Prefilling requests per pass.
    #[must_use]
    pub fn avg_num_prefill(&self) -> f64 {
        self.batch.value()
    }
}

/// Seconds of the passes that compute `work` prompt tokens, at most `max_batched` each, beside `decode_kv` tokens.
pub(super) fn chunked_s(fit: &Fit, work: f64, max_batched: u32, decode_kv: f64) -> f64 {
    if work <= 0.0 {
        return 0.0;
    }
    let budget = f64::from(max_batched);
    let passes = (work / budget).ceil();
    // All but the last pass are full, hence equal: long queues need no loop.
    let full = (passes - 1.0).max(0.0);
    full * fit.seconds([budget, decode_kv]) + fit.seconds([work - full * budget, decode_kv])
}
