//! The wish of a prefill pool and of a decode pool, by the models of their passes.

use super::ballot::{Ballot, Wish};
use crate::pass::WorkerPass;
use crate::state::Planner;

impl Planner {
    /// TTFT of a next request at each worker, against the TTFT target.
    pub(super) fn prefill_wish(&mut self, passes: &[WorkerPass]) -> Wish {
        if self.rules.target.is_easy() {
            return self.easy_prefill_wish(passes);
        }
        let replicas = self.ready[0];
        let budget = self
            .capabilities
            .prefill
            .max_batched_tokens
            .filter(|&budget| budget > 0);
        let (Some(max_batched), true) = (
            budget,
            self.models.prefill.has_sufficient_data() && replicas > 0,
        ) else {
            return Wish::UNKNOWN;
        };
        let hit_rate = self.hit_rate;
        let model = &mut self.models.prefill;
        let mut ttft_ms = |queued: f64| {
            model
                .ttft_s(queued, max_batched, hit_rate)
                .map(|s| 1000.0 * s)
        };
        let mut ballot = Ballot::new(replicas, self.rules.ttft_ms);
        let own = ttft_ms(0.0);
        if own.is_none() {
            ballot.block();
        }
        for seen in passes {
            let queued = seen.pass.queued_prefill_tokens as f64;
            ballot.vote(ttft_ms(queued));
            if !ballot.may_shrink() {
                continue;
            }
            let after = ttft_ms((queued * ballot.consolidation()).trunc());
            judge_wait(
                &mut ballot,
                own,
                after,
                self.rules.ttft_ms,
                self.rules.sensitivity,
            );
        }
        self.diagnostics.estimated_ttft_ms = ballot.result(0).worst_ms;
        ballot.result(self.rules.min_endpoint)
    }

    /// Inter-token latency at each worker, against its target, and its KV use.
    pub(super) fn decode_wish(&mut self, passes: &[WorkerPass]) -> Wish {
        if self.rules.target.is_easy() {
            return self.easy_decode_wish(passes);
        }
        let replicas = self.ready[1];
        if !self.models.decode.has_sufficient_data() || replicas == 0 {
            return Wish::UNKNOWN;
        }
        let accept = self.accept_length.effective();
        let model = &mut self.models.decode;
        let mut itl_ms =
            |running: f64, queued: f64| model.itl_s(running, queued).map(|s| 1000.0 * s / accept);
        let mut ballot = Ballot::new(replicas, self.rules.itl_ms);
        for seen in passes {
            let (running, queued) = (
                seen.pass.decode_kv_tokens as f64,
                seen.pass.queued_decode_kv_tokens as f64,
            );
            ballot.vote(itl_ms(running, queued));
            if !ballot.may_shrink() {
                continue;
            }
            let kv = ((running + queued) * ballot.consolidation()).trunc();
            if overflows(kv, self.capabilities.decode.max_kv_tokens) {
                ballot.refuse();
            } else {
                let allowed = self.rules.itl_ms * self.rules.sensitivity;
                judge_gap(&mut ballot, itl_ms(kv, 0.0), allowed);
            }
        }
        self.diagnostics.estimated_itl_ms = ballot.result(0).worst_ms;
        ballot.result(self.rules.min_endpoint)
    }
}

/// The wait for others that a removal would leave must be within a share of what the target leaves for waiting.
pub(super) fn judge_wait(
    ballot: &mut Ballot,
    own_ms: Option<f64>,
    after_ms: Option<f64>,
    target_ms: f64,
    sensitivity: f64,
) {
    let Some(own) = own_ms else {
        return ballot.block();
    };
    let allowed = (target_ms - own) * sensitivity;
    if allowed <= 0.0 {
        return ballot.refuse();
    }
    match after_ms {
        None => ballot.block(),
        Some(after) if after - own >= allowed => ballot.refuse(),
        Some(_) => {}
    }
}

/// The gap that a removal would leave must be within what is allowed.
pub(super) fn judge_gap(ballot: &mut Ballot, after_ms: Option<f64>, allowed_ms: f64) {
    match after_ms {
        None => ballot.block(),
        Some(after) if after >= allowed_ms => ballot.refuse(),
        Some(_) => {}
    }
}

/// Whether `kv` tokens do not fit.
pub(super) fn overflows(kv: f64, max_kv_tokens: Option<u64>) -> bool {
    max_kv_tokens.is_some_and(|max| max > 0 && kv >= max as f64)
}
