//! Decisions that are not carried out yet, and what a new one changes.

use sim_api::{ScalingEvent, Targets};
use sim_core::SimTime;

use crate::config::Mode;

/// Wanted replicas by side (prefill, decode) until they are ready.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PendingTargets([Option<u32>; 2]);

/// A decision as it is carried out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Applied {
    pub(super) targets: Targets,
    pub(super) events: Vec<ScalingEvent>,
}

impl PendingTargets {
    /// Replicas a side will have: the target, or what is ready.
    pub(super) fn expected(&self, side: usize, ready: u32) -> u32 {
        self.0[side].unwrap_or(ready)
    }

    /// Forgets targets that are reached.
    pub(super) fn clear_reached(&mut self, ready: [u32; 2]) {
        for (target, ready) in self.0.iter_mut().zip(ready) {
            if *target == Some(ready) {
                *target = None;
            }
        }
    }

    /// Takes a decision over `ready` replicas; none if it changes nothing. A target of 0 is raised to 1 unless
    /// `allow_zero`: a pool without workers could never serve what waits for it.
    pub(super) fn apply(
        &mut self,
        decision: Targets,
        ready: [u32; 2],
        mode: Mode,
        now: SimTime,
        allow_zero: bool,
    ) -> Option<Applied> {
        let asked = [
            if mode == Mode::Agg {
                None
            } else {
                decision.prefill
            },
            decision.decode,
        ];
        let clamped = |side: usize| asked[side] == Some(0) && !allow_zero;
        let target = |side: usize| {
            if clamped(side) {
                1
            } else {
                asked[side].unwrap_or(ready[side])
            }
        };
        let wanted = [target(0), target(1)];
        if wanted == ready {
            return None;
        }
        let names = if mode == Mode::Agg {
            ["", "agg"]
        } else {
            ["prefill", "decode"]
        };
        let mut events = Vec::new();
        for side in [0, 1] {
            if asked[side].is_none() || wanted[side] == ready[side] {
                continue;
            }
            self.0[side] = Some(wanted[side]);
            let direction = if wanted[side] > ready[side] {
                "scale_up"
            } else {
                "scale_down"
            };
            let reason = if clamped(side) {
                format!("{direction}: a target of 0 is raised to 1")
            } else {
                direction.to_owned()
            };
            events.push(ScalingEvent {
                at: now,
                component: names[side],
                from: ready[side],
                to: wanted[side],
                reason,
            });
        }
        let targets = Targets {
            prefill: (mode != Mode::Agg).then_some(wanted[0]),
            decode: Some(wanted[1]),
        };
        Some(Applied { targets, events })
    }
}
