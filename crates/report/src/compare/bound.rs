//! Bounds that a comparison must keep: `--fail-on ttft_p99:+5%`.

use std::fmt;
use std::str::FromStr;

use super::metric::key_of;
use super::{CompareError, ComparedRun};

/// A bound on a metric.
///
/// | form | fails if the metric |
/// |---|---|
/// | `ttft_p99:+5%` | is more than 5 % above that of the first run |
/// | `sla_attainment:-1%` | is more than 1 % below that of the first run |
/// | `gpu_hours:+0.5` | is more than 0.5 above that of the first run |
/// | `goodput_rps:-2` | is more than 2 below that of the first run |
/// | `ttft_p99:>1500` | is above 1500 |
/// | `sla_attainment:<0.99` | is below 0.99 |
///
/// ```
/// use report::{ComparedRun, FailOn};
/// let report = |ttft: f64| format!(r#"{{"num_requests": 1, "p99_ttft_ms": {ttft}}}"#);
/// let before = ComparedRun::parse("before", &report(100.0))?;
/// let after = ComparedRun::parse("after", &report(106.0))?;
/// let bound: FailOn = "ttft_p99:+5%".parse().unwrap();
/// assert!(bound.check(&before, &after)?.is_some());
/// assert!(bound.check(&before, &before)?.is_none());
/// # Ok::<(), report::CompareError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FailOn {
    text: String,
    key: String,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    RisesByShare(f64),
    FallsByShare(f64),
    RisesBy(f64),
    FallsBy(f64),
    Above(f64),
    Below(f64),
}

/// A bound that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFailOnError {
    /// No colon.
    #[error("bound {0:?}: expected METRIC:BOUND, such as ttft_p99:+5% or sla_attainment:<0.99")]
    NoColon(String),
    /// The metric is unknown.
    #[error("bound {bound:?}: unknown metric {metric:?}; did you mean {nearest:?}?")]
    UnknownMetric {
        /// The bound.
        bound: String,
        /// What stands before the colon.
        metric: String,
        /// The nearest name.
        nearest: String,
    },
    /// What stands after the colon is no bound.
    #[error(
        "bound {bound:?}: {rule:?} is no bound; expected +5%, -5%, +5, -5, >5 or <5 with a finite number"
    )]
    BadRule {
        /// The bound.
        bound: String,
        /// What stands after the colon.
        rule: String,
    },
}

/// A bound that was not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// The bound as it was given.
    pub bound: String,
    /// Which run missed it.
    pub run: String,
    /// The JSON key of the metric.
    pub key: String,
    /// Its value in the first run.
    pub before: f64,
    /// Its value in the run.
    pub after: f64,
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bound,
            run,
            key,
            before,
            after,
        } = self;
        write!(f, "{run} misses {bound}: {key} is {after}, was {before}")
    }
}

impl FromStr for FailOn {
    type Err = ParseFailOnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bound = text.trim().to_owned();
        let Some((metric, rule)) = bound.split_once(':') else {
            return Err(ParseFailOnError::NoColon(bound));
        };
        let (metric, rule) = (metric.trim(), rule.trim());
        let key = key_of(metric).map_err(|nearest| ParseFailOnError::UnknownMetric {
            bound: bound.clone(),
            metric: metric.to_owned(),
            nearest,
        })?;
        let rule = parse_rule(rule).ok_or_else(|| ParseFailOnError::BadRule {
            bound: bound.clone(),
            rule: rule.to_owned(),
        })?;
        Ok(Self {
            text: bound,
            key,
            rule,
        })
    }
}

fn parse_rule(rule: &str) -> Option<Rule> {
    let sign = rule.chars().next()?;
    let rest = rule[sign.len_utf8()..].trim();
    let (digits, per_cent) = match rest.strip_suffix('%') {
        Some(digits) => (digits.trim_end(), true),
        None => (rest, false),
    };
    // A second sign would turn the bound around.
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let amount: f64 = digits
        .parse()
        .ok()
        .filter(|amount: &f64| amount.is_finite())?;
    match (sign, per_cent) {
        ('+', true) => Some(Rule::RisesByShare(amount / 100.0)),
        ('-', true) => Some(Rule::FallsByShare(amount / 100.0)),
        ('+', false) => Some(Rule::RisesBy(amount)),
        ('-', false) => Some(Rule::FallsBy(amount)),
        ('>', false) => Some(Rule::Above(amount)),
        ('<', false) => Some(Rule::Below(amount)),
        _ => None,
    }
}

impl Rule {
    fn misses(self, before: f64, after: f64) -> bool {
        match self {
            Self::RisesByShare(share) => after > before + before.abs() * share,
            Self::FallsByShare(share) => after < before - before.abs() * share,
            Self::RisesBy(amount) => after > before + amount,
            Self::FallsBy(amount) => after < before - amount,
            Self::Above(bound) => after > bound,
            Self::Below(bound) => after < bound,
        }
    }
}

impl FailOn {
    /// Whether `after`, compared with the first run `before`, keeps the bound.
    ///
    /// # Errors
    /// A report lacks the metric.
    pub fn check(
        &self,
        before: &ComparedRun,
        after: &ComparedRun,
    ) -> Result<Option<Miss>, CompareError> {
        let value = |run: &ComparedRun| {
            run.number(&self.key)
                .ok_or_else(|| CompareError::NoSuchMetric {
                    name: run.name().to_owned(),
                    key: self.key.clone(),
                    bound: self.text.clone(),
                    hint: hint(&self.key).to_owned(),
                })
        };
        let new = value(after)?;
        let old = match self.rule {
            Rule::Above(_) | Rule::Below(_) => value(before).unwrap_or(new),
            _ => value(before)?,
        };
        Ok(self.rule.misses(old, new).then(|| Miss {
            bound: self.text.clone(),
            run: after.name().to_owned(),
            key: self.key.clone(),
            before: old,
            after: new,
        }))
    }
}

fn hint(key: &str) -> &'static str {
    if key.starts_with("sla_") || key.starts_with("goodput_") {
        "; run with --sla-ttft-ms, --sla-itl-ms or --sla-e2e-ms"
    } else if key == "cost" {
        "; run with --gpu-hour-price"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(name: &str, p99: f64) -> ComparedRun {
        let text = format!(r#"{{"num_requests": 3, "p99_ttft_ms": {p99}}}"#);
        ComparedRun::parse(name, &text).unwrap()
    }

    #[test]
    fn rules_compare_with_the_first_run_or_with_a_number() {
        for (bound, after, missed) in [
            ("ttft_p99:+5%", 105.0, false),
            ("ttft_p99:+5%", 105.1, true),
            ("ttft_p99:-5%", 94.0, true),
            ("ttft_p99:-5%", 200.0, false),
            ("p99_ttft_ms:+5", 105.5, true),
            ("p99_ttft_ms:-5", 95.5, false),
            ("ttft_p99:>150", 151.0, true),
            (" ttft_p99 : < 99.5 ", 99.0, true),
            ("ttft_p99:<99.5", 100.0, false),
        ] {
            let bound: FailOn = bound.parse().unwrap();
            let miss = bound.check(&run("a", 100.0), &run("b", after)).unwrap();
            assert_eq!(miss.is_some(), missed, "{bound:?} {after}");
        }
    }

    #[test]
    fn from_nothing_every_rise_is_too_much() {
        let bound: FailOn = "ttft_p99:+5%".parse().unwrap();
        assert!(
            bound
                .check(&run("a", 0.0), &run("b", 0.1))
                .unwrap()
                .is_some()
        );
        assert!(
            bound
                .check(&run("a", 0.0), &run("b", 0.0))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_is_no_bound_is_refused_with_what_would_be_right() {
        for (text, expected) in [
            ("ttft_p99", "METRIC:BOUND"),
            ("ttf_p99:+5%", "did you mean \"ttft_p99\""),
            ("ttft_p99:5%", "is no bound"),
            ("ttft_p99:+x", "is no bound"),
            ("ttft_p99:+-5", "is no bound"),
            ("ttft_p99:>5%", "is no bound"),
            ("ttft_p99:+inf", "is no bound"),
            ("ttft_p99:", "is no bound"),
        ] {
            let error = text.parse::<FailOn>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_metric_says_which_flag_makes_it() {
        let bound: FailOn = "sla_attainment:<0.9".parse().unwrap();
        let error = bound.check(&run("a", 1.0), &run("b", 1.0)).unwrap_err();
        assert!(error.to_string().contains("--sla-ttft-ms"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,20}", rule in "[-+<>%0-9.e ]{0,8}") {
            let _ = text.parse::<FailOn>();
            let _ = format!("itl_p99:{rule}").parse::<FailOn>();
        }
    }
}
