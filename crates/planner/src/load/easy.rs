//! Targets without a model of the engines: fixed thresholds on queues and KV use.
//!
//! One hot worker adds a replica; one is removed only when all workers are cold.

use sim_api::Targets;

use super::ballot::Wish;
use super::single::change;
use crate::config::OptimizationTarget;
use crate::pass::{Pass, WorkerPass};
use crate::reason::LoadReason;
use crate::state::Planner;

/// A bound that a figure reaches or has to pass.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Reach(f64),
    Pass(f64),
}

/// When a worker is hot, and when cold.
#[derive(Clone, Copy, Debug)]
struct Band {
    hot: Bound,
    cold: Bound,
}

impl Band {
    fn is_hot(&self, value: f64) -> bool {
        match self.hot {
            Bound::Reach(bound) => value >= bound,
            Bound::Pass(bound) => value > bound,
        }
    }

    fn is_cold(&self, value: f64) -> bool {
        match self.cold {
            Bound::Reach(bound) => value <= bound,
            Bound::Pass(bound) => value < bound,
        }
    }

    /// The wish of `replicas` workers with these figures.
    fn wish(&self, figures: impl Iterator<Item = f64>, replicas: u32, min_endpoint: u32) -> Wish {
        let (mut any_hot, mut all_cold) = (false, replicas > 1);
        for figure in figures {
            any_hot |= self.is_hot(figure);
            all_cold &= self.is_cold(figure);
        }
        if any_hot {
            let more = replicas.saturating_add(1);
            return Wish {
                replicas: Some(more),
                reason: LoadReason::ScaleUp,
                worst_ms: None,
            };
        }
        if all_cold {
            let fewer = (replicas - 1).max(min_endpoint);
            return Wish {
                replicas: Some(fewer),
                reason: LoadReason::ScaleDown,
                worst_ms: None,
            };
        }
        Wish::NONE
    }
}

impl Planner {
    /// Queued prompt tokens, as a share of a context or (target `load`) as they are.
    pub(super) fn easy_prefill_wish(&self, passes: &[WorkerPass]) -> Wish {
        let thresholds = &self.rules.thresholds;
        let context = self
            .capabilities
            .prefill
            .context_length
            .filter(|&tokens| tokens > 0);
        let (unit, band) = match self.rules.target {
            OptimizationTarget::Load => {
                let (up, down) = (
                    thresholds.prefill_scale_up_queue_tokens,
                    thresholds.prefill_scale_down_queue_tokens,
                );
                let (Some(up), Some(down)) = (up, down) else {
                    return Wish::UNKNOWN;
                };
                (
                    Some(1),
                    Band {
                        hot: Bound::Reach(up as f64),
                        cold: Bound::Reach(down as f64),
                    },
                )
            }
            OptimizationTarget::Latency => (
                context,
                Band {
                    hot: Bound::Reach(0.1),
                    cold: Bound::Reach(0.0),
                },
            ),
            _ => (
                context,
                Band {
                    hot: Bound::Reach(1.0),
                    cold: Bound::Pass(0.1),
                },
            ),
        };
        let (Some(unit), true) = (unit, self.ready[0] > 0 && !passes.is_empty()) else {
            return Wish::UNKNOWN;
        };
        let figures = passes
            .iter()
            .map(|seen| seen.pass.queued_prefill_tokens as f64 / unit as f64);
        band.wish(figures, self.ready[0], self.rules.min_endpoint)
    }

    /// KV use by decode work.
    pub(super) fn easy_decode_wish(&self, passes: &[WorkerPass]) -> Wish {
        self.kv_wish(passes, Pass::decode_load)
    }

    pub(super) fn easy_agg(&mut self, passes: &[WorkerPass], replicas: u32) -> Option<Targets> {
        let wish = self.kv_wish(passes, |pass| {
            pass.decode_load() + pass.queued_prefill_tokens as f64
        });
        let Some(wanted) = wish.replicas else {
            self.diagnostics.load = Some(wish.reason);
            return None;
        };
        let settled = self.budget_single(wanted.max(self.rules.min_endpoint));
        self.diagnostics.load = Some(change(replicas, settled));
        Some(self.single_target(settled))
    }

    fn kv_wish(&self, passes: &[WorkerPass], tokens: impl Fn(&Pass) -> f64) -> Wish {
        let thresholds = &self.rules.thresholds;
        let band = match self.rules.target {
            OptimizationTarget::Load => {
                let (up, down) = (
                    thresholds.decode_scale_up_kv_rate,
                    thresholds.decode_scale_down_kv_rate,
                );
                let (Some(up), Some(down)) = (up, down) else {
                    return Wish::UNKNOWN;
                };
                Band {
                    hot: Bound::Reach(up / 100.0),
                    cold: Bound::Reach(down / 100.0),
                }
            }
            OptimizationTarget::Latency => Band {
                hot: Bound::Pass(0.4),
                cold: Bound::Pass(0.1),
            },
            _ => Band {
                hot: Bound::Pass(1.0),
                cold: Bound::Pass(0.6),
            },
        };
        let max_kv = self
            .capabilities
            .decode
            .max_kv_tokens
            .filter(|&tokens| tokens > 0);
        let (Some(max_kv), true) = (max_kv, self.ready[1] > 0 && !passes.is_empty()) else {
            return Wish::UNKNOWN;
        };
        let figures = passes.iter().map(|seen| tokens(&seen.pass) / max_kv as f64);
        band.wish(figures, self.ready[1], self.rules.min_endpoint)
    }
}
