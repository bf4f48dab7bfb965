//! Load decisions by mode, and those of a prefill or decode pool alone.

use sim_api::Targets;

use super::reconcile::reconciles;
use crate::config::Mode;
use crate::pass::WorkerPass;
use crate::reason::LoadReason;
use crate::state::Planner;
use crate::tick::TickInput;

impl Planner {
    /// What the workers have in hand asks for.
    pub(crate) fn decide_by_load(&mut self, input: &TickInput<'_>) -> Option<Targets> {
        if !self.rules.load_enabled {
            self.diagnostics.load = Some(LoadReason::Disabled);
            return None;
        }
        match self.rules.mode {
            Mode::Agg => self.load_agg(input.decode),
            Mode::Disagg => self.load_disagg(input),
            Mode::Prefill => self.load_single(0, input.prefill),
            Mode::Decode => self.load_single(1, input.decode),
        }
    }

    fn load_single(&mut self, side: usize, passes: &[WorkerPass]) -> Option<Targets> {
        let replicas = self.ready[side];
        let gate = if self.expected[side].is_some_and(|expected| expected != replicas) {
            Some(LoadReason::ScalingInProgress)
        } else if passes.is_empty() {
            Some(LoadReason::NoPasses)
        } else {
            (!reconciles(passes, replicas)).then_some(LoadReason::WorkerCountMismatch)
        };
        if gate.is_some() {
            self.diagnostics.load = gate;
            return None;
        }
        let wish = if side == 0 {
            self.prefill_wish(passes)
        } else {
            self.decode_wish(passes)
        };
        let Some(mut wanted) = wish.replicas else {
            self.diagnostics.load = Some(wish.reason);
            return None;
        };
        if self.rules.throughput_enabled {
            wanted = wanted.max(self.bounds[side]);
        }
        let settled = self.budget_single(wanted);
        self.diagnostics.load = Some(change(replicas, settled));
        Some(self.single_target(settled))
    }
}

/// The reason for going from `before` to `after` replicas.
pub(super) fn change(before: u32, after: u32) -> LoadReason {
    match after.cmp(&before) {
        std::cmp::Ordering::Greater => LoadReason::ScaleUp,
        std::cmp::Ordering::Less => LoadReason::ScaleDown,
        std::cmp::Ordering::Equal => LoadReason::NoChange,
    }
}
