//! How the workers of a pool vote on its size.

use crate::reason::LoadReason;

/// What one side of a deployment wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    /// Replicas; none leaves them alone.
    pub(super) replicas: Option<u32>,
    /// Why.
    pub(super) reason: LoadReason,
    /// The worst estimate, in milliseconds.
    pub(super) worst_ms: Option<f64>,
}

impl Wish {
    /// Nothing can be said.
    pub(super) const UNKNOWN: Self = Self {
        replicas: None,
        reason: LoadReason::InsufficientData,
        worst_ms: None,
    };

    /// Nothing was asked.
    pub(super) const NONE: Self = Self {
        replicas: None,
        reason: LoadReason::NoChange,
        worst_ms: None,
    };

    /// Whether a removal was wanted but the others could not take the work over.
    pub(super) fn was_refused(&self) -> bool {
        self.reason == LoadReason::ConsolidationRefused
    }
}

/// The count of votes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ballot {
    replicas: u32,
    target_ms: f64,
    votes: u32,
    all_above: bool,
    worst_ms: Option<f64>,
    may_shrink: bool,
    refused: bool,
}

impl Ballot {
    pub(super) fn new(replicas: u32, target_ms: f64) -> Self {
        Self {
            replicas,
            target_ms,
            votes: 0,
            all_above: true,
            worst_ms: None,
            may_shrink: replicas > 1,
            refused: false,
        }
    }

    /// Load of a worker after one of them is gone, relative to now.
    pub(super) fn consolidation(&self) -> f64 {
        if self.replicas > 1 {
            f64::from(self.replicas) / f64::from(self.replicas - 1)
        } else {
            1.0
        }
    }

    /// A worker's estimate, if its model has one.
    pub(super) fn vote(&mut self, estimate_ms: Option<f64>) {
        let Some(estimate) = estimate_ms else {
            return;
        };
        self.votes += 1;
        self.all_above &= estimate > self.target_ms;
        self.worst_ms = Some(self.worst_ms.map_or(estimate, |worst| worst.max(estimate)));
    }

    /// Whether a removal is still possible.
    pub(super) fn may_shrink(&self) -> bool {
        self.may_shrink
    }

    /// What would happen after a removal is unknown.
    pub(super) fn block(&mut self) {
        self.may_shrink = false;
    }

    /// After a removal a target would be missed.
    pub(super) fn refuse(&mut self) {
        self.may_shrink = false;
        self.refused = true;
    }

    /// The result.
    pub(super) fn result(&self, min_endpoint: u32) -> Wish {
        let worst_ms = self.worst_ms;
        if self.votes == 0 && !self.refused {
            return Wish::UNKNOWN;
        }
        if self.votes > 0 && self.all_above {
            return Wish {
                replicas: Some(self.replicas.saturating_add(1)),
                reason: LoadReason::ScaleUp,
                worst_ms,
            };
        }
        if self.replicas > 1 && self.may_shrink {
            let fewer = (self.replicas - 1).max(min_endpoint);
            return Wish {
                replicas: Some(fewer),
                reason: LoadReason::ScaleDown,
                worst_ms,
            };
        }
        let reason = if self.refused {
            LoadReason::ConsolidationRefused
        } else {
            LoadReason::NoChange
        };
        Wish {
            replicas: None,
            reason,
            worst_ms,
        }
    }
}
