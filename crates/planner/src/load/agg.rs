//! Load decisions of an aggregated pool: TTFT and inter-token latency at once.

use sim_api::Targets;

use super::ballot::{Ballot, Wish};
use super::reconcile::reconciles;
use super::sides::{judge_gap, judge_wait, overflows};
use crate::pass::WorkerPass;
use crate::reason::LoadReason;
use crate::state::Planner;

impl Planner {
    pub(super) fn load_agg(&mut self, passes: &[WorkerPass]) -> Option<Targets> {
        let replicas = self.ready[1];
        if let Some(reason) = self.agg_gate(passes, replicas) {
            self.diagnostics.load = Some(reason);
            return None;
        }
        if self.rules.target.is_easy() {
            return self.easy_agg(passes, replicas);
        }
        if !self.models.agg.has_sufficient_data() {
            self.diagnostics.load = Some(LoadReason::InsufficientData);
            return None;
        }
        let prefill = self.agg_prefill_wish(passes, replicas);
        let decode = self.agg_decode_wish(passes, replicas);
        let refused = prefill.was_refused() || decode.was_refused();
        let wanted = combine(prefill, decode, replicas);

        let mut settled = wanted.max(self.rules.min_endpoint);
        if self.rules.throughput_enabled {
            settled = settled.max(self.bounds[1]);
        }
        let settled = self.budget_single(settled);
        let capped = settled > wanted && wanted < replicas;
        self.diagnostics.load = Some(match settled.cmp(&replicas) {
            std::cmp::Ordering::Greater => LoadReason::ScaleUp,
            _ if capped => LoadReason::CappedByThroughput,
            std::cmp::Ordering::Less => LoadReason::ScaleDown,
            std::cmp::Ordering::Equal if refused => LoadReason::ConsolidationRefused,
            std::cmp::Ordering::Equal => LoadReason::NoChange,
        });
        (settled != replicas).then(|| self.single_target(settled))
    }

    /// Why nothing can be decided now.
    fn agg_gate(&self, passes: &[WorkerPass], replicas: u32) -> Option<LoadReason> {
        if passes.is_empty() {
            return Some(LoadReason::NoPasses);
        }
        if self.expected[1].is_some_and(|expected| expected != replicas) {
            return Some(LoadReason::ScalingInProgress);
        }
        (!reconciles(passes, replicas)).then_some(LoadReason::WorkerCountMismatch)
    }

    fn agg_prefill_wish(&mut self, passes: &[WorkerPass], replicas: u32) -> Wish {
        let budget = self
            .capabilities
            .decode
            .max_batched_tokens
            .filter(|&budget| budget > 0);
        let Some(max_batched) = budget else {
            return Wish::UNKNOWN;
        };
        let hit_rate = self.hit_rate;
        let model = &mut self.models.agg;
        let mut ttft_ms = |queued: f64, kv: f64| {
            model
                .ttft_s(queued, max_batched, kv, hit_rate)
                .map(|s| 1000.0 * s)
        };
        let mut ballot = Ballot::new(replicas, self.rules.ttft_ms);
        for seen in passes {
            let queued = seen.pass.queued_prefill_tokens as f64;
            ballot.vote(ttft_ms(queued, seen.pass.decode_kv_tokens as f64));
            if !ballot.may_shrink() {
                continue;
            }
            let kv = (seen.pass.decode_load() * ballot.consolidation()).trunc();
            let own = ttft_ms(0.0, kv);
            let after = ttft_ms((queued * ballot.consolidation()).trunc(), kv);
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

    fn agg_decode_wish(&mut self, passes: &[WorkerPass], replicas: u32) -> Wish {
        let accept = self.accept_length.effective();
        let model = &mut self.models.agg;
        let mut itl_ms =
            |running: f64, queued: f64| model.itl_s(running, queued).map(|s| 1000.0 * s / accept);
        let mut ballot = Ballot::new(replicas, self.rules.itl_ms);
        for seen in passes {
            let pass = &seen.pass;
            ballot.vote(itl_ms(
                pass.decode_kv_tokens as f64,
                pass.queued_decode_kv_tokens as f64,
            ));
            if !ballot.may_shrink() {
                continue;
            }
            // Prompts that wait will be KV before a replica more could help.
            let load = pass.decode_load() + pass.queued_prefill_tokens as f64;
            let kv = (load * ballot.consolidation()).trunc();
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

/// Either side can ask for more; fewer only if both agree, or decode alone where prefill cannot be judged.
fn combine(prefill: Wish, decode: Wish, replicas: u32) -> u32 {
    let stay = |wish: Wish| {
        if wish.was_refused() {
            Some(replicas)
        } else {
            wish.replicas
        }
    };
    match (stay(prefill), stay(decode)) {
        (Some(p), _) if p > replicas => p,
        (_, Some(d)) if d > replicas => d,
        (None, Some(d)) if d < replicas => d,
        (Some(p), Some(d)) if p < replicas && d < replicas => p.max(d),
        _ => replicas,
    }
}
