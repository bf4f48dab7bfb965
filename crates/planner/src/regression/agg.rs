//! Pass time of an aggregated engine: a plane in prompt tokens and decode KV tokens.

use super::hit_rate::clamp_hit_rate;
use super::linear::{Fit, FitState, Linear, LinearSettings};
use super::moving_average::MovingAverage;
use super::prefill::chunked_s;
use super::samples::SampleStore;
use crate::pass::Pass;

/// Largest batch tried where the KV capacity is unknown.
const BATCH_WITHOUT_KV_LIMIT: u64 = 1024;

/// When prefill keeps up with decode in the capacity search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalanceTest {
    /// The prompt tokens of a steady batch fit beside its decode tokens: `B·A·e/osl ≤ budget − B`.
    #[default]
    Steady,
    /// One prompt is done before one answer is: `e/(budget − B) ≤ osl`. It limits almost nothing.
    Weak,
}

/// What one aggregated engine can do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AggCapacity {
    /// Requests per second; 0 if the model cannot tell.
    pub rps: f64,
    /// TTFT at that rate, in milliseconds.
    pub ttft_ms: f64,
    /// Inter-token latency at that rate, in milliseconds.
    pub itl_ms: f64,
}

/// A question about the capacity of an aggregated engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AggQuestion {
    /// Prompt tokens per request.
    pub isl: f64,
    /// Output tokens per request.
    pub osl: f64,
    /// Token budget of a pass.
    pub max_batched: u32,
    /// Wanted TTFT, in milliseconds.
    pub ttft_ms: f64,
    /// Wanted inter-token latency, in milliseconds.
    pub itl_ms: f64,
    /// KV tokens of an engine, if known.
    pub max_kv_tokens: Option<u64>,
    /// Seats of an engine, if limited.
    pub max_sequences: Option<u32>,
    /// Prefix-cache hit rate, if known.
    pub hit_rate: Option<f64>,
    /// Visible tokens per decode step and request; below 1 counts as 1. The weak test knows only 1.
    pub accept_length: f64,
    /// The balance test.
    pub balance: BalanceTest,
}

/// Mixed pass time from prompt tokens and decode KV tokens.
#[derive(Clone, Debug)]
pub struct AggModel {
    linear: Linear,
    isl: MovingAverage,
    context: MovingAverage,
    prefill_tokens: MovingAverage,
    num_prefill: MovingAverage,
    num_decode: MovingAverage,
}

impl AggModel {
    /// A model without samples.
    #[must_use]
    pub fn new(settings: &LinearSettings) -> Self {
        let average = || MovingAverage::new(settings.max_samples);
        Self {
            linear: Linear::new(2, None, settings),
            isl: average(),
            context: average(),
            prefill_tokens: average(),
            num_prefill: average(),
            num_decode: average(),
        }
    }

    /// Learns a pass.
    pub fn observe(&mut self, pass: &Pass) {
        let (tokens, kv) = (pass.prefill_tokens as f64, pass.decode_kv_tokens as f64);
        if pass.num_prefill > 0 {
            self.isl.add(tokens / pass.num_prefill as f64);
        }
        if pass.num_decode > 0 {
            self.context.add(kv / pass.num_decode as f64);
        }
        self.prefill_tokens.add(tokens);
        self.num_prefill.add(pass.num_prefill as f64);
        self.num_decode.add(pass.num_decode as f64);
        self.linear.observe([tokens, kv], pass.wall_s);
    }

    /// Seconds until the first token of a next request, behind `queued_tokens` of prompts and beside `decode_kv`.
    pub fn ttft_s(
        &mut self,
        queued_tokens: f64,
        max_batched: u32,
        decode_kv: f64,
        hit_rate: Option<f64>,
    ) -> Option<f64> {
        let fit = self.linear.fit().filter(|_| max_batched > 0)?;
        Some(self.fitted_ttft_s(&fit, queued_tokens, max_batched, decode_kv, hit_rate))
    }

    fn fitted_ttft_s(
        &self,
        fit: &Fit,
        queued_tokens: f64,
        max_batched: u32,
        decode_kv: f64,
        hit_rate: Option<f64>,
    ) -> f64 {
        let work = (queued_tokens + self.isl.value()) * (1.0 - clamp_hit_rate(hit_rate));
        chunked_s(fit, work, max_batched, decode_kv)
    }

    /// Seconds of a pass with one more decoding request and the usual prompt tokens.
    pub fn itl_s(&mut self, running_kv: f64, queued_kv: f64) -> Option<f64> {
        let x = [
            self.prefill_tokens.value(),
            running_kv + queued_kv + self.context.value(),
        ];
        self.linear.fit().map(|fit| fit.seconds(x))
    }

    /// The largest batch whose latencies hold, as requests per second.
    ///
    /// If even one request misses, the answer is what it gets.
    pub fn capacity(&mut self, question: &AggQuestion) -> AggCapacity {
        let askable = question.isl > 0.0 && question.osl > 0.0 && question.max_batched > 0;
        let Some(fit) = self.linear.fit().filter(|_| askable) else {
            return AggCapacity::default();
        };
        let mut best = self.at_batch(&fit, question, 1);
        // Both latencies grow with the batch (no coefficient is negative), so bisection finds the first miss.
        let (mut low, mut high) = (2, largest_balanced(question));
        while low <= high && holds(question, &best) {
            let middle = low + (high - low) / 2;
            let candidate = self.at_batch(&fit, question, middle);
            if holds(question, &candidate) {
                best = candidate;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        best
    }

    fn at_batch(&self, fit: &Fit, question: &AggQuestion, batch: u64) -> AggCapacity {
        let &AggQuestion {
            isl,
            osl,
            max_batched,
            hit_rate,
            ..
        } = question;
        let (budget, accept) = (f64::from(max_batched), accept_length(question));
        let size = batch as f64;
        let turnover = size * accept / osl.max(1.0);
        let kv = size * context(question);
        let effective = effective_isl(question);
        let wall = fit.seconds([(turnover * effective).min(budget), kv]);
        let admitted = (turnover * isl).min(budget).trunc();
        let ttft = self.fitted_ttft_s(fit, admitted, max_batched, kv.trunc(), hit_rate);
        let decode_rps = size * accept / (osl * wall);
        let rps = match question.balance {
            BalanceTest::Weak => decode_rps,
            BalanceTest::Steady if effective <= 0.0 => decode_rps,
            BalanceTest::Steady => decode_rps.min((budget - size) / (effective * wall)),
        };
        AggCapacity {
            rps,
            ttft_ms: 1000.0 * ttft,
            itl_ms: 1000.0 * wall / accept,
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

    /// Mean context of a decoding request, in tokens.
    #[must_use]
    pub fn avg_decode_length(&self) -> f64 {
        self.context.value()
    }

    /// Prompt tokens per pass.
    #[must_use]
    pub fn avg_prefill_tokens(&self) -> f64 {
        self.prefill_tokens.value()
    }

    /// Prefilling requests per pass.
    #[must_use]
    pub fn avg_num_prefill(&self) -> f64 {
        self.num_prefill.value()
    }

    /// Decoding requests per pass.
    #[must_use]
    pub fn avg_num_decode(&self) -> f64 {
        self.num_decode.value()
    }
}

fn holds(question: &AggQuestion, capacity: &AggCapacity) -> bool {
    capacity.itl_ms <= question.itl_ms && capacity.ttft_ms <= question.ttft_ms
}

fn accept_length(question: &AggQuestion) -> f64 {
    match question.balance {
        BalanceTest::Weak => 1.0,
        BalanceTest::Steady => question.accept_length.max(1.0),
    }
}

fn effective_isl(question: &AggQuestion) -> f64 {
    question.isl * (1.0 - clamp_hit_rate(question.hit_rate))
}

fn context(question: &AggQuestion) -> f64 {
    question.isl + question.osl / 2.0
}

/// The largest batch that KV, seats and budget hold and that passes the balance test, at least 1.
fn largest_balanced(question: &AggQuestion) -> u64 {
    let by_kv = match question.max_kv_tokens {
        Some(kv) if kv > 0 => ((kv as f64 / context(question).max(1.0)) as u64).max(1),
        _ => BATCH_WITHOUT_KV_LIMIT,
    };
    let seats = question.max_sequences.filter(|&seats| seats > 0);
    let budget = u64::from(question.max_batched);
    let hard = by_kv
        .min(seats.map_or(by_kv, u64::from))
        .min(budget.saturating_sub(1));
    let effective = effective_isl(question);
    let balanced = |batch: u64| {
        let rest = budget.saturating_sub(batch) as f64;
        match question.balance {
            BalanceTest::Weak => rest > 0.0 && effective / rest <= question.osl,
            BalanceTest::Steady => {
                batch as f64 * accept_length(question) * effective / question.osl.max(1.0) <= rest
            }
        }
    };
    let (mut low, mut high) = (1, hard.max(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if balanced(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}
