//! Load decisions of a disaggregated deployment: two pools under one budget.

use sim_api::{Quirk, Targets};

use super::ballot::Wish;
use super::reconcile::reconciles;
use crate::reason::LoadReason;
use crate::state::Planner;
use crate::tick::TickInput;

impl Planner {
    pub(super) fn load_disagg(&mut self, input: &TickInput<'_>) -> Option<Targets> {
        if let Some(reason) = self.disagg_gate(input) {
            self.diagnostics.load_all(reason);
            return None;
        }
        let now = self.ready;
        let wishes = [
            if input.prefill.is_empty() {
                Wish::NONE
            } else {
                self.prefill_wish(input.prefill)
            },
            if input.decode.is_empty() {
                Wish::NONE
            } else {
                self.decode_wish(input.decode)
            },
        ];
        let wanted = [0, 1].map(|side| wishes[side].replicas.unwrap_or(now[side]));
        let mut floored = wanted;
        if self.rules.throughput_enabled {
            floored = [0, 1].map(|side| floored[side].max(self.bounds[side]));
        }
        let settled =
            self.budget_pair(floored.map(|replicas| replicas.max(self.rules.min_endpoint)));

        let mut reasons = [0, 1].map(|side| {
            let capped = floored[side] > wanted[side] && wanted[side] < now[side];
            match settled[side].cmp(&now[side]) {
                std::cmp::Ordering::Greater => LoadReason::ScaleUp,
                _ if capped => LoadReason::CappedByThroughput,
                std::cmp::Ordering::Less => LoadReason::ScaleDown,
                std::cmp::Ordering::Equal => LoadReason::NoChange,
            }
        });
        let mut overall = strongest(reasons);
        let unchanged = settled == now;
        if unchanged {
            let telling =
                |wish: &&Wish| wish.reason == LoadReason::InsufficientData || wish.was_refused();
            for (reason, wish) in reasons.iter_mut().zip(&wishes) {
                if telling(&wish) {
                    *reason = wish.reason;
                }
            }
            overall = wishes
                .iter()
                .find(telling)
                .map_or(overall, |wish| wish.reason);
        }
        self.diagnostics.load = Some(overall);
        self.diagnostics.load_prefill = Some(reasons[0]);
        self.diagnostics.load_decode = Some(reasons[1]);
        (!unchanged).then_some(Targets {
            prefill: Some(settled[0]),
            decode: Some(settled[1]),
        })
    }

    /// Why nothing can be decided now.
    fn disagg_gate(&self, input: &TickInput<'_>) -> Option<LoadReason> {
        let in_progress =
            |side: usize| self.expected[side].is_some_and(|expected| expected != self.ready[side]);
        if !self.quirks.has(Quirk::NoDisaggGate) && (in_progress(0) || in_progress(1)) {
            return Some(LoadReason::ScalingInProgress);
        }
        let sides = [
            (input.prefill, self.ready[0]),
            (input.decode, self.ready[1]),
        ];
        if sides.iter().all(|(passes, _)| passes.is_empty()) {
            return Some(LoadReason::NoPasses);
        }
        let fits = sides
            .iter()
            .all(|&(passes, ready)| passes.is_empty() || reconciles(passes, ready));
        (!fits).then_some(LoadReason::WorkerCountMismatch)
    }
}

/// The reason that says most about the deployment.
fn strongest(reasons: [LoadReason; 2]) -> LoadReason {
    [
        LoadReason::ScaleUp,
        LoadReason::CappedByThroughput,
        LoadReason::ScaleDown,
    ]
    .into_iter()
    .find(|reason| reasons.contains(reason))
    .unwrap_or(LoadReason::NoChange)
}
