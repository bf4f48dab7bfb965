//! Behaviours of the reference, version 1.2.1, that differ from the default.

use std::str::FromStr;

/// Which reference a run should equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Our rules: the reference's, without its known mistakes.
    #[default]
    Default,
    /// The reference's version 1.2.1, mistakes included.
    V1_2_1,
}

/// An unknown name of a [`Compat`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compatibility {0:?}: expected \"1.2.1\" or \"default\"")]
pub struct ParseCompatError(pub String);

impl FromStr for Compat {
    type Err = ParseCompatError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "default" => Ok(Self::Default),
            "1.2.1" => Ok(Self::V1_2_1),
            other => Err(ParseCompatError(other.to_owned())),
        }
    }
}

impl Compat {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::V1_2_1 => "1.2.1",
        }
    }

    /// The quirks it asks for.
    pub fn quirks(self) -> Quirks {
        match self {
            Self::Default => Quirks::NONE,
            Self::V1_2_1 => Quirks::ALL,
        }
    }
}

macro_rules! quirks {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One difference between the reference 1.2.1 and the default.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Quirk {
            $($(#[$doc])* $name,)*
        }

        impl Quirk {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

quirks! {
    /// Aggregated vLLM without speculation: the first token pays a decode step
    /// over all ready requests. Default: the step covers the other requests only.
    FirstTokenPaysDecode,
    /// KV events of vLLM engines are visible at pass start. Default: at pass end.
    KvEventsAtPassStart,
    /// Without `num_gpu_blocks` an engine has 16384 blocks. Default: what the
    /// memory model answers where a GPU and a model are named.
    FixedKvBlocks,
    /// Engines of planner runs use polynomial (or profile) timing whatever the
    /// engine arguments say.
    PlannerIgnoresAicTiming,
    /// The planner's clock is the last event processed. Default: the tick's own time.
    TickAtLastEvent,
    /// The planner's pass cache is pruned by highest id, and passes delivered to a
    /// throughput-only tick are dropped.
    PassCacheByHighestId,
    /// A disaggregated planner decides again while a scale-up is in progress.
    NoDisaggGate,
    /// The KV hit rate is predicted like traffic, and 0 under round robin.
    /// Default: the last value, none under round robin.
    PredictedHitRate,
    /// Aggregated capacity by the weak balance test; prefill floor ceil(TTFT/SLA).
    WeakBalanceTest,
    /// An idle traffic window feeds lengths of 0. Default: the last shape is carried.
    IdleTrafficFeedsZero,
    /// Sweeping mode "none" with throughput scaling is an error. Default: a warning.
    SweepingModeNoneIsError,
    /// Budgets count replicas. Default: GPUs.
    BudgetCountsReplicas,
    /// Null `*_engine_num_gpu` charges no GPU-hours. Default: the engines' GPUs.
    NullGpusChargeNothing,
    /// GPU-hours are charged at ticks to the ready count. Default: integrated over
    /// the run, starting and draining workers included.
    GpuHoursAtTicks,
    /// A scale target of 0 is passed on and then fails. Default: clamped to 1.
    ScaleToZeroFails,
    /// Planner runs ignore or refuse concurrency, trace format and synthetic load.
    PlannerTraceOnly,
    /// Disaggregated planner runs without `worker_type` run aggregated passes in
    /// both pools. Default: a pool's role is its engines' role.
    RolesAsGiven,
    /// A request preempted more than once is counted once per stale queue entry.
    StaleQueueEntries,
    /// A KV transfer frees its concurrency slot. Default: it keeps it.
    TransferFreesSlot,
    /// Reuse is the maximum over admissions, SGLang chunk continuations included.
    /// Default: the first admission only.
    ReuseIsMaximum,
    /// Ids are cut to 32 bits, so synthetic prefix groups collapse.
    IdsCutTo32Bits,
    /// The router index takes its equal-count shortcut, keeps a self-loop after a
    /// rejected store and never purges removed workers.
    RouterIndexShortcuts,
    /// Unknown planner and router fields, wrong JSON types in engine arguments and
    /// unreadable profiles are ignored. Default: errors.
    LaxConfig,
    /// Unknown AIC versions map to the current one with a warning. Default: an error.
    UnknownAicVersionIsCurrent,
    /// What 1.2.1 does not know (speculative decoding, TensorRT-LLM, later fields)
    /// is refused as there.
    RefuseLaterFeatures,
}

/// A set of [`Quirk`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks(u32);

impl Quirks {
    /// The default: no quirk.
    pub const NONE: Self = Self(0);
    /// The reference 1.2.1: every quirk.
    pub const ALL: Self = Self((1 << Quirk::ALL.len()) - 1);

    /// Whether `quirk` is in the set.
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }

    /// The set with `quirk`.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | (1 << quirk as u32))
    }

    /// The set without `quirk`.
    #[must_use]
    pub const fn without(self, quirk: Quirk) -> Self {
        Self(self.0 & !(1 << quirk as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatibility_means_every_quirk_and_the_default_none() {
        for &quirk in Quirk::ALL {
            assert!(Compat::V1_2_1.quirks().has(quirk), "{quirk:?}");
            assert!(!Compat::Default.quirks().has(quirk), "{quirk:?}");
            assert!(Quirks::NONE.with(quirk).has(quirk));
            assert!(!Quirks::ALL.without(quirk).has(quirk));
        }
    }

    #[test]
    fn names_round_trip() {
        for compat in [Compat::Default, Compat::V1_2_1] {
            assert_eq!(compat.name().parse(), Ok(compat));
        }
        assert!("1.3".parse::<Compat>().is_err());
    }
}
