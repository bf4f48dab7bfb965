//! The routing policies by name, and how to make a router of each.

use std::fmt;
use std::str::FromStr;

use sim_api::{Quirks, Router};

use crate::config::RouterConfig;
use crate::policy::{
    KvRouter, LeastLoaded, PowerOfTwo, PrefillEstimator, PrefixOnly, Random, RoundRobin,
    SessionAffinity, Side,
};

/// A routing policy.
///
/// ```
/// use kv_router::{RouterMode, RouterSettings, Side};
///
/// let mode: RouterMode = "power_of_two".parse()?;
/// assert!(mode.build(Side::Aggregated, RouterSettings::default()).needs().progress);
/// let error = "random_two".parse::<RouterMode>().unwrap_err();
/// assert!(error.to_string().contains("expected round_robin,"));
/// # Ok::<(), kv_router::ParseRouterModeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouterMode {
    /// Workers in turn.
    #[default]
    RoundRobin,
    /// Prefix overlap against load.
    KvRouter,
    /// Fewest requests in flight.
    LeastLoaded,
    /// A worker drawn uniformly.
    Random,
    /// The less loaded of two random workers.
    PowerOfTwo,
    /// A session stays on its worker.
    SessionAffinity,
    /// Most of the prompt in the cache, whatever the load.
    PrefixOnly,
}

/// What the routers of a run are made from. Most policies need the seed only,
/// or nothing.
#[derive(Default)]
pub struct RouterSettings {
    /// The configuration of [`RouterMode::KvRouter`].
    pub config: RouterConfig,
    /// The seed of everything drawn.
    pub seed: u64,
    /// The quirks of the reference to keep.
    pub quirks: Quirks,
    /// Expected prefill times for [`RouterMode::KvRouter`].
    pub estimator: Option<PrefillEstimator>,
}

impl RouterMode {
    /// All policies, the reference's first.
    pub const ALL: [Self; 7] = [
        Self::RoundRobin,
        Self::KvRouter,
        Self::LeastLoaded,
        Self::Random,
        Self::PowerOfTwo,
        Self::SessionAffinity,
        Self::PrefixOnly,
    ];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::KvRouter => "kv_router",
            Self::LeastLoaded => "least_loaded",
            Self::Random => "random",
            Self::PowerOfTwo => "power_of_two",
            Self::SessionAffinity => "session_affinity",
            Self::PrefixOnly => "prefix_only",
        }
    }

    /// A router without workers for one pool of a deployment.
    ///
    /// The pools of a disaggregated deployment have routers of the same policy
    /// with draws of their own. Decode workers get their KV from prefill
    /// workers and tell no cache events: there [`Self::KvRouter`] looks at
    /// active blocks only, and [`Self::PrefixOnly`] is [`Self::LeastLoaded`].
    pub fn build(self, side: Side, settings: RouterSettings) -> Box<dyn Router> {
        let seed = settings.seed;
        match self {
            Self::RoundRobin => Box::new(RoundRobin::new()),
            Self::KvRouter => Box::new(KvRouter::new(
                settings.config,
                side,
                seed,
                settings.quirks,
                settings.estimator,
            )),
            Self::Random => Box::new(Random::new(side, seed)),
            Self::PowerOfTwo => Box::new(PowerOfTwo::new(side, seed)),
            Self::SessionAffinity => Box::new(SessionAffinity::new()),
            Self::PrefixOnly if side != Side::Decode => Box::new(PrefixOnly::new()),
            Self::LeastLoaded | Self::PrefixOnly => Box::new(LeastLoaded::new()),
        }
    }
}

impl fmt::Display for RouterMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RouterMode {
    type Err = ParseRouterModeError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|mode| mode.name() == name);
        known.ok_or_else(|| ParseRouterModeError {
            given: name.to_owned(),
            nearest: nearest(name),
        })
    }
}

/// The policy whose name is most like `given`, if one is alike at all.
fn nearest(given: &str) -> Option<RouterMode> {
    let given = given.to_lowercase();
    let alike = |mode: &RouterMode| {
        let similarity = strsim::jaro_winkler(&given, mode.name());
        (similarity, *mode)
    };
    let all = RouterMode::ALL.iter().map(alike);
    let best = all.max_by(|one, two| one.0.total_cmp(&two.0));
    best.filter(|&(similarity, _)| similarity > 0.7)
        .map(|(_, mode)| mode)
}

/// There is no policy of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct ParseRouterModeError {
    given: String,
    nearest: Option<RouterMode>,
}

impl ParseRouterModeError {
    fn text(&self) -> String {
        let names = RouterMode::ALL.map(RouterMode::name);
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        let hint = self
            .nearest
            .map_or_else(String::new, |mode| format!("; did you mean {mode}?"));
        format!(
            "no router mode is called {:?}: expected {} or {last}{hint}",
            self.given,
            others.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_slips_are_recognised() {
        for mode in RouterMode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        for (slip, meant) in [
            ("round-robin", "round_robin"),
            ("Least_Loaded", "least_loaded"),
            ("kv", "kv_router"),
            ("power_of_2", "power_of_two"),
            ("session", "session_affinity"),
            ("prefix", "prefix_only"),
            ("rnadom", "random"),
        ] {
            let error = slip.parse::<RouterMode>().unwrap_err().to_string();
            assert!(
                error.ends_with(&format!("did you mean {meant}?")),
                "{error}"
            );
        }
        let error = "§".parse::<RouterMode>().unwrap_err().to_string();
        assert!(
            error.ends_with("session_affinity or prefix_only"),
            "{error}"
        );
    }
}
