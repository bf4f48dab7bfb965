//! Service level targets and how many requests meet them.

use sim_core::SimDuration;

/// Targets of a request; those absent are always met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlaTargets {
    /// Greatest time to first token.
    pub ttft: Option<SimDuration>,
    /// Greatest mean gap between the tokens of a request (TPOT), where it has
    /// two or more.
    pub itl: Option<SimDuration>,
    /// Greatest time from arrival to last token.
    pub e2e: Option<SimDuration>,
}

/// When the tokens of a completed request came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    pub(crate) ttft: SimDuration,
    pub(crate) e2e: SimDuration,
    pub(crate) output_tokens: u32,
}

impl Latency {
    /// First to last token.
    fn decode(self) -> SimDuration {
        SimDuration::from_ns(self.e2e.as_ns().saturating_sub(self.ttft.as_ns()))
    }

    /// Mean gap in nanoseconds, where there is a gap.
    pub(crate) fn tpot_ns(self) -> Option<f64> {
        let gaps = self.output_tokens.checked_sub(1).filter(|&gaps| gaps > 0)?;
        Some(self.decode().as_ns() as f64 / f64::from(gaps))
    }
}

/// Which targets a request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) ttft: bool,
    pub(crate) itl: bool,
    pub(crate) e2e: bool,
}

impl Met {
    pub(crate) fn all(self) -> bool {
        self.ttft && self.itl && self.e2e
    }
}

impl SlaTargets {
    /// Whether there is a target at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn met(&self, latency: Latency) -> Met {
        // Products of integers: no rounding decides whether a bound holds.
        let gaps = u128::from(latency.output_tokens.saturating_sub(1));
        let decode = u128::from(latency.decode().as_ns());
        Met {
            ttft: self.ttft.is_none_or(|bound| latency.ttft <= bound),
            itl: self
                .itl
                .is_none_or(|bound| decode <= u128::from(bound.as_ns()) * gaps || gaps == 0),
            e2e: self.e2e.is_none_or(|bound| latency.e2e <= bound),
        }
    }
}

/// How many requests met their targets. Shares are of all arrivals: rejected
/// and unfinished requests miss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SlaReport {
    /// The targets.
    pub targets: SlaTargets,
    /// Requests that arrived.
    pub arrived: u64,
    /// Requests that met every target.
    pub met: u64,
    /// Requests that met the TTFT target.
    pub met_ttft: u64,
    /// Requests that met the ITL target.
    pub met_itl: u64,
    /// Requests that met the E2E target.
    pub met_e2e: u64,
    /// Output tokens of the requests that met every target.
    pub met_output_tokens: u64,
}

impl SlaReport {
    pub(crate) fn add(&mut self, latency: Latency) {
        let met = self.targets.met(latency);
        self.met_ttft += u64::from(met.ttft);
        self.met_itl += u64::from(met.itl);
        self.met_e2e += u64::from(met.e2e);
        if met.all() {
            self.met += 1;
            self.met_output_tokens += u64::from(latency.output_tokens);
        }
    }

    /// Share of arrivals that met every target, 0 to 1; 0 without arrivals.
    pub fn attainment(&self) -> f64 {
        self.share(self.met)
    }

    /// `count` as a share of the arrivals, 0 to 1.
    pub fn share(&self, count: u64) -> f64 {
        if self.arrived == 0 {
            return 0.0;
        }
        count as f64 / self.arrived as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(ttft: u64, e2e: u64, output_tokens: u32) -> Latency {
        Latency {
            ttft: SimDuration::from_ns(ttft),
            e2e: SimDuration::from_ns(e2e),
            output_tokens,
        }
    }

    #[test]
    fn bounds_are_inclusive_and_exact() {
        let targets = SlaTargets {
            ttft: Some(SimDuration::from_ns(10)),
            itl: Some(SimDuration::from_ns(3)),
            e2e: None,
        };
        assert!(targets.met(latency(10, 19, 4)).all());
        assert!(!targets.met(latency(10, 20, 4)).itl);
        assert!(!targets.met(latency(11, 19, 4)).ttft);
        assert!(
            targets.met(latency(10, 10, 1)).all(),
            "one token has no gap"
        );
    }

    #[test]
    fn shares_are_of_arrivals() {
        let mut report = SlaReport {
            targets: SlaTargets {
                ttft: Some(SimDuration::from_ns(10)),
                ..SlaTargets::default()
            },
            arrived: 4,
            ..SlaReport::default()
        };
        report.add(latency(5, 9, 7));
        report.add(latency(50, 90, 7));
        assert_eq!((report.met, report.met_output_tokens), (1, 7));
        assert!((report.attainment() - 0.25).abs() < f64::EPSILON);
        assert!(SlaReport::default().attainment().abs() < f64::EPSILON);
    }
}
