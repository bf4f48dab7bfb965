//! From a forecast to replicas.

use sim_api::{Quirk, Targets};

use super::series::Forecast;
use crate::config::Mode;
use crate::reason::ThroughputReason;
use crate::regression::{AggQuestion, BalanceTest, DecodeQuestion, clamp_hit_rate};
use crate::state::Planner;

/// Rounds a need up to whole replicas; what is no number needs none.
fn replicas(need: f64) -> u32 {
    need.ceil() as u32
}

impl Planner {
    /// Predicts the next window, of `duration_s` seconds, and what it needs. With load scaling on that becomes a
    /// lower bound; alone it is the decision.
    pub(crate) fn decide_by_throughput(&mut self, duration_s: f64) -> Option<Targets> {
        let Ok(forecast) = self.series.predict() else {
            self.diagnostics.throughput = Some(ThroughputReason::PredictFailed);
            return None;
        };
        self.diagnostics.predicted_num_req = Some(forecast.num_req);
        self.diagnostics.predicted_isl = Some(forecast.isl);
        self.diagnostics.predicted_osl = Some(forecast.osl);
        if duration_s.is_nan() || duration_s <= 0.0 {
            self.diagnostics.throughput = Some(ThroughputReason::NoTraffic);
            return None;
        }
        if self.quirks.has(Quirk::PredictedHitRate) && !forecast.hit_rate.is_nan() {
            self.hit_rate = Some(forecast.hit_rate);
        }
        self.diagnostics.predicted_kv_hit_rate = self.hit_rate;
        let demand = forecast.num_req / duration_s;
        match self.rules.mode {
            Mode::Disagg => self.need_of_both(demand, &forecast),
            Mode::Prefill => {
                let need = self.prefill_need(demand, &forecast);
                self.settle_single(0, need)
            }
            Mode::Decode => {
                let need = self.decode_need(demand, &forecast);
                self.settle_single(1, need)
            }
            Mode::Agg => {
                let need = self.agg_need(demand, &forecast);
                self.settle_single(1, need)
            }
        }
    }

    fn settle_single(&mut self, side: usize, need: Option<u32>) -> Option<Targets> {
        let Some(need) = need else {
            self.diagnostics.throughput = Some(ThroughputReason::ModelNotReady);
            return None;
        };
        if self.rules.load_enabled {
            self.bounds[side] = need;
            self.diagnostics.throughput = Some(ThroughputReason::SetLowerBound);
            return None;
        }
        self.diagnostics.throughput = Some(ThroughputReason::Scale);
        Some(self.single_target(self.budget_single(need)))
    }

    fn need_of_both(&mut self, demand: f64, forecast: &Forecast) -> Option<Targets> {
        let prefill = self.prefill_need(demand, forecast);
        let decode = self.decode_need(demand, forecast);
        let (Some(need_p), Some(need_d)) = (prefill, decode) else {
            let reason = |need: Option<u32>| match need {
                Some(_) => ThroughputReason::PartnerNotReady,
                None => ThroughputReason::ModelNotReady,
            };
            self.diagnostics.throughput = Some(ThroughputReason::ModelNotReady);
            self.diagnostics.throughput_prefill = Some(reason(prefill));
            self.diagnostics.throughput_decode = Some(reason(decode));
            return None;
        };
        let reason = if self.rules.load_enabled {
            self.bounds = [need_p, need_d];
            ThroughputReason::SetLowerBound
        } else {
            ThroughputReason::Scale
        };
        self.diagnostics.throughput = Some(reason);
        self.diagnostics.throughput_prefill = Some(reason);
        self.diagnostics.throughput_decode = Some(reason);
        if self.rules.load_enabled {
            return None;
        }
        let [prefill, decode] = self.budget_pair([need_p, need_d]);
        Some(Targets {
            prefill: Some(prefill),
            decode: Some(decode),
        })
    }

    fn prefill_need(&mut self, demand: f64, forecast: &Forecast) -> Option<u32> {
        let isl = forecast.isl * (1.0 - clamp_hit_rate(self.hit_rate));
        let capacity = self
            .models
            .prefill
            .capacity(isl, self.capabilities.prefill.max_batched_tokens);
        if capacity.rps <= 0.0 {
            return None;
        }
        self.diagnostics.engine_rps_prefill = Some(capacity.rps);
        let mut need = replicas(demand / capacity.rps).max(self.rules.min_endpoint);
        if self.quirks.has(Quirk::WeakBalanceTest) && capacity.ttft_ms > self.rules.ttft_ms {
            // More replicas do not make one prompt faster, but the reference asks for them.
            need = need.max(replicas(capacity.ttft_ms / self.rules.ttft_ms));
        }
        Some(need)
    }

    fn decode_need(&mut self, demand: f64, forecast: &Forecast) -> Option<u32> {
        let capacity = self.models.decode.capacity(&DecodeQuestion {
            itl_ms: self.rules.itl_ms,
            context: forecast.isl + forecast.osl / 2.0,
            osl: forecast.osl,
            max_kv_tokens: self.capabilities.decode.max_kv_tokens,
            max_sequences: self.capabilities.decode.max_sequences,
            accept_length: self.accept_length.effective(),
        });
        if capacity.rps <= 0.0 {
            return None;
        }
        self.diagnostics.engine_rps_decode = Some(capacity.rps);
        Some(replicas(demand / capacity.rps).max(self.rules.min_endpoint))
    }

    fn agg_need(&mut self, demand: f64, forecast: &Forecast) -> Option<u32> {
        let engine = self.capabilities.decode;
        let capacity = self.models.agg.capacity(&AggQuestion {
            isl: forecast.isl,
            osl: forecast.osl,
            max_batched: engine.max_batched_tokens?,
            ttft_ms: self.rules.ttft_ms,
            itl_ms: self.rules.itl_ms,
            max_kv_tokens: engine.max_kv_tokens,
            max_sequences: engine.max_sequences,
            hit_rate: self.hit_rate,
            accept_length: self.accept_length.effective(),
            balance: if self.quirks.has(Quirk::WeakBalanceTest) {
                BalanceTest::Weak
            } else {
                BalanceTest::Steady
            },
        });
        if capacity.rps <= 0.0 {
            return None;
        }
        self.diagnostics.engine_rps_prefill = Some(capacity.rps);
        self.diagnostics.engine_rps_decode = Some(capacity.rps);
        Some(replicas(demand / capacity.rps).max(self.rules.min_endpoint))
    }
}
