//! Equal requests: settings and their checks.

use std::num::NonZeroU32;

use sim_api::{Quirk, Quirks, Workload};

use super::spec::{Pacing, Window};
use super::starts::Starts;
use super::synthetic_run::SyntheticWorkload;
use crate::error::TraceError;
use crate::setting::{LoadError, at_least_one, check, not_negative, positive};

/// The distance of sessions in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spacing {
    /// A fixed interval.
    Interval {
        /// Milliseconds, at least 0.
        ms: f64,
    },
    /// Poisson arrivals, the first at 0.
    Poisson {
        /// Sessions a second, above 0.
        per_s: f64,
        /// Of the gaps.
        seed: u64,
    },
}

/// A load of equal requests, alone or in sessions, with fresh tokens but for a
/// prefix that a group of sessions may share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Synthetic {
    /// Prompt tokens of each turn; at least 1.
    pub input_tokens: u32,
    /// Tokens to generate for each turn; at least 1.
    pub output_tokens: u32,
    /// Sessions, each of `turns_per_session` requests; at least 1.
    pub request_count: u64,
    /// When sessions start.
    pub spacing: Spacing,
    /// At least 1.
    pub turns_per_session: u32,
    /// The part of each prompt that sessions of a group share, 0 to 1.
    pub shared_prefix_ratio: f64,
    /// Groups to choose from; with 0 nothing is shared.
    pub num_prefix_groups: u32,
    /// From the end of a turn to the next one; milliseconds, at least 0.
    pub inter_turn_delay_ms: f64,
}

impl Synthetic {
    /// `request_count` single requests, one a millisecond, nothing shared.
    ///
    /// ```
    /// use sim_api::{Quirks, Workload};
    /// use trace::{Load, Pacing, Synthetic, Window, WorkloadSpec};
    ///
    /// let spec = WorkloadSpec {
    ///     load: Load::Synthetic(Synthetic::plain(1_000, 100, 50)),
    ///     pacing: Pacing::Arrivals { speedup: 1.0 },
    ///     window: Window::default(),
    ///     engine_block_size: 64,
    ///     quirks: Quirks::NONE,
    /// };
    /// let mut workload = spec.build()?;
    /// let mut arrivals = Vec::new();
    /// workload.release(sim_core::SimTime::from_ns(2_000_000), usize::MAX, &mut arrivals)?;
    /// assert_eq!(arrivals.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plain(input_tokens: u32, output_tokens: u32, request_count: u64) -> Self {
        Self {
            input_tokens,
            output_tokens,
            request_count,
            spacing: Spacing::Interval { ms: 1.0 },
            turns_per_session: 1,
            shared_prefix_ratio: 0.0,
            num_prefix_groups: 0,
            inter_turn_delay_ms: 0.0,
        }
    }

    /// Whether it is single requests that share nothing.
    pub(super) fn is_plain(&self) -> bool {
        self.turns_per_session == 1
            && self.shared_prefix_ratio == 0.0
            && self.num_prefix_groups == 0
            && self.inter_turn_delay_ms == 0.0
    }

    /// Groups that are drawn from; 0 if nothing is shared.
    pub(super) fn groups(&self) -> u32 {
        if self.shared_prefix_ratio > 0.0 {
            self.num_prefix_groups
        } else {
            0
        }
    }

    fn validate(&self) -> Result<(), LoadError> {
        at_least_one("input_tokens", u64::from(self.input_tokens))?;
        at_least_one("output_tokens", u64::from(self.output_tokens))?;
        at_least_one("request_count", self.request_count)?;
        at_least_one("turns_per_session", u64::from(self.turns_per_session))?;
        not_negative("inter_turn_delay_ms", self.inter_turn_delay_ms)?;
        check(
            (0.0..=1.0).contains(&self.shared_prefix_ratio),
            "shared_prefix_ratio",
            "between 0.0 and 1.0",
            self.shared_prefix_ratio,
        )?;
        match self.spacing {
            Spacing::Interval { ms } => not_negative("arrival_interval_ms", ms)?,
            Spacing::Poisson { per_s, .. } => positive("request_rate", per_s)?,
        }
        let numbers = self
            .request_count
            .checked_mul(u64::from(self.turns_per_session))
            .and_then(|requests| requests.checked_add(u64::from(self.num_prefix_groups)));
        check(
            numbers.is_some_and(|numbers| numbers < u64::from(u32::MAX)),
            "request_count",
            "so small that turns and prefix groups are fewer than 4294967295 in all",
            self.request_count,
        )?;
        Ok(())
    }

    pub(super) fn workload(
        &self,
        pacing: Pacing,
        window: &Window,
        engine_block: NonZeroU32,
        quirks: Quirks,
    ) -> Result<Box<dyn Workload>, LoadError> {
        self.validate()?;
        let starts = Starts::new(self, pacing, window)?;
        let groups_collapse = quirks.has(Quirk::IdsCutTo32Bits);
        let workload = SyntheticWorkload::new(self, starts, pacing, engine_block, groups_collapse)?;
        if workload.is_empty() {
            return Err(LoadError::Trace(TraceError::Empty {
                trace: "(synthetic)".to_owned(),
                windowed: true,
            }));
        }
        Ok(Box::new(workload))
    }
}
