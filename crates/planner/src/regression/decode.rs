//! Pass time of a decode engine: a plane in batch size and KV tokens.

use super::linear::{FitState, Linear, LinearSettings};
use super::moving_average::MovingAverage;
use super::samples::SampleStore;
use crate::pass::Pass;

/// Largest batch tried where neither KV capacity nor load is known.
const BATCH_WITHOUT_KV_LIMIT: u64 = 256;

/// What one decode engine can do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DecodeCapacity {
    /// Requests per second; 0 if the model cannot tell.
    pub rps: f64,
    /// Inter-token latency at that rate, in milliseconds.
    pub itl_ms: f64,
}

/// A question about decode capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeQuestion {
    /// Wanted inter-token latency, in milliseconds.
    pub itl_ms: f64,
    /// Mean context of a decoding request, in tokens.
    pub context: f64,
    /// Output tokens per request.
    pub osl: f64,
    /// KV tokens of an engine, if known.
    pub max_kv_tokens: Option<u64>,
    /// Seats of an engine, if limited.
    pub max_sequences: Option<u32>,
    /// Visible tokens per decode step and request (speculative decoding); below 1 counts as 1.
    pub accept_length: f64,
}

/// Decode pass time from batch size and KV tokens.
#[derive(Clone, Debug)]
pub struct DecodeModel {
    linear: Linear,
    context: MovingAverage,
    batch: MovingAverage,
    max_observed_kv: f64,
}

impl DecodeModel {
    /// A model without samples.
    #[must_use]
    pub fn new(settings: &LinearSettings) -> Self {
        Self {
            linear: Linear::new(2, Some(0), settings),
            context: MovingAverage::new(settings.max_samples),
            batch: MovingAverage::new(settings.max_samples),
            max_observed_kv: 0.0,
        }
    }

    /// Learns a pass.
    pub fn observe(&mut self, pass: &Pass) {
        let (batch, kv) = (pass.num_decode as f64, pass.decode_kv_tokens as f64);
        if pass.num_decode > 0 {
            self.context.add(kv / batch);
        }
        self.batch.add(batch);
        self.max_observed_kv = self.max_observed_kv.max(kv);
        self.linear.observe([batch, kv], pass.wall_s);
    }

    /// Seconds of a pass with one more request, on an engine with these KV tokens running and waiting.
    pub fn itl_s(&mut self, running_kv: f64, queued_kv: f64) -> Option<f64> {
        let x = [
            self.batch.value() + 1.0,
            running_kv + queued_kv + self.context.value(),
        ];
        self.linear.fit().map(|fit| fit.seconds(x))
    }

    /// The largest batch within the wanted latency, as requests per second.
    ///
    /// If even one request is too slow the answer is what one request gets.
    pub fn capacity(&mut self, question: &DecodeQuestion) -> DecodeCapacity {
        let &DecodeQuestion {
            itl_ms,
            context,
            osl,
            ..
        } = question;
        let askable = context > 0.0 && osl > 0.0 && itl_ms > 0.0;
        let Some(fit) = self.linear.fit().filter(|_| askable) else {
            return DecodeCapacity::default();
        };
        let accept = question.accept_length.max(1.0);
        let wall = |batch: u64| fit.seconds([batch as f64, batch as f64 * context]);
        let answer = |batch: u64| DecodeCapacity {
            rps: batch as f64 * accept / (osl * wall(batch)),
            itl_ms: 1000.0 * wall(batch) / accept,
        };
        let fits = |batch: u64| 1000.0 * wall(batch) / accept <= itl_ms;
        if !fits(1) {
            return answer(1);
        }
        let (mut low, mut high) = (1, self.batch_limit(question));
        let mut best = 1;
        while low <= high {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                best = middle;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        answer(best)
    }

    fn batch_limit(&self, question: &DecodeQuestion) -> u64 {
        let whole = |kv: f64| ((kv / question.context) as u64).max(1);
        let by_kv = match question.max_kv_tokens {
            Some(kv) if kv > 0 => whole(kv as f64),
            _ if self.max_observed_kv > 0.0 => whole(self.max_observed_kv),
            _ => BATCH_WITHOUT_KV_LIMIT,
        };
        let seats = question.max_sequences.filter(|&seats| seats > 0);
        by_kv.min(seats.map_or(by_kv, u64::from)).max(1)
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

    /// Mean context of a decoding request, in tokens.
    #[must_use]
    pub fn avg_decode_length(&self) -> f64 {
        self.context.value()
    }

    /// Decoding requests per pass.
    #[must_use]
    pub fn avg_num_decode(&self) -> f64 {
        self.batch.value()
    }

    /// The most KV tokens a pass ever had.
    #[must_use]
    pub fn max_observed_kv(&self) -> f64 {
        self.max_observed_kv
    }
}
