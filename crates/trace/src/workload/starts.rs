//! When the sessions of a synthetic load start, and with which shared prefix.

use rand_chacha::ChaCha12Rng;
use sim_core::{SimDuration, SimTime, reference_stream};

use super::draws::{exponential_ms, uniform_below};
use super::spec::{Pacing, Window};
use super::synthetic::{Spacing, Synthetic};
use crate::setting::{LoadError, SettingError};

/// The reference draws prefix groups from this seed.
const GROUP_SEED: u64 = 42;

/// A session that starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) at: SimTime,
    pub(super) session: u32,
    pub(super) group: Option<u32>,
    pub(super) turns: u32,
}

/// Sessions in order, made as they are asked for.
#[derive(Debug)]
pub(super) struct Starts {
    sessions: u32,
    next: u32,
    /// Requests that may still be made.
    left: u64,
    turns: u32,
    window: Window,
    /// Start of the first session in the window: the run's zero.
    first_ms: Option<f64>,
    /// `None` if sessions may start at once.
    speedup: Option<f64>,
    gaps: Gaps,
    groups: u32,
    group_stream: ChaCha12Rng,
}

#[derive(Debug)]
enum Gaps {
    Fixed {
        ms: f64,
    },
    Poisson {
        mean_ms: f64,
        now_ms: f64,
        stream: Box<ChaCha12Rng>,
    },
}

impl Gaps {
    /// When session `number` starts, in milliseconds of the load's own clock.
    /// To be asked for 0, 1, 2, ...
    fn start_ms(&mut self, number: u32) -> f64 {
        match self {
            Self::Fixed { ms } => f64::from(number) * *ms,
            Self::Poisson {
                mean_ms,
                now_ms,
                stream,
            } => {
                if number > 0 {
                    *now_ms += exponential_ms(stream, *mean_ms);
                }
                *now_ms
            }
        }
    }
}

impl Starts {
    /// The sessions of a checked load.
    pub(super) fn new(
        load: &Synthetic,
        pacing: Pacing,
        window: &Window,
    ) -> Result<Self, LoadError> {
        let speedup = match pacing {
            Pacing::Arrivals { speedup } => Some(speedup),
            Pacing::Closed { .. } => None,
        };
        let gaps = match load.spacing {
            // The reference goes by the rate where a load is made of sessions.
            Spacing::Interval { ms } if !load.is_plain() && ms > 0.0 => Gaps::Fixed {
                ms: 1000.0 / (1000.0 / ms),
            },
            Spacing::Interval { ms } => Gaps::Fixed { ms },
            Spacing::Poisson { per_s, seed } => Gaps::Poisson {
                mean_ms: 1000.0 / per_s,
                now_ms: 0.0,
                stream: Box::new(reference_stream(seed)),
            },
        };
        let sessions = load.request_count as u32;
        let starts = Self {
            sessions,
            next: 0,
            left: window.limit.unwrap_or(u64::MAX),
            turns: load.turns_per_session,
            window: *window,
            first_ms: None,
            speedup,
            gaps,
            groups: load.groups(),
            group_stream: reference_stream(GROUP_SEED),
        };
        if let Gaps::Fixed { ms } = starts.gaps {
            starts.time(f64::from(sessions - 1) * ms)?;
        }
        Ok(starts)
    }

    /// How many requests there are, if that is known without drawing.
    pub(super) fn requests(&self) -> Option<u64> {
        if self.window.from_s.is_some() || self.window.to_s.is_some() {
            return None;
        }
        let all = u64::from(self.sessions) * u64::from(self.turns);
        Some(all.min(self.window.limit.unwrap_or(u64::MAX)))
    }

    /// The next session, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Start>, SettingError> {
        while self.next < self.sessions && self.left > 0 {
            let session = self.next;
            self.next += 1;
            let group =
                (self.groups > 0).then(|| uniform_below(&mut self.group_stream, self.groups));
            let ms = self.gaps.start_ms(session);
            if self.window.to_s.is_some_and(|to| ms >= to * 1000.0) {
                self.left = 0;
                break;
            }
            if !self.window.holds(ms) {
                continue;
            }
            let first_ms = *self.first_ms.get_or_insert(ms);
            let at = self.time(ms - first_ms)?;
            let turns = self.left.min(u64::from(self.turns)) as u32;
            self.left -= u64::from(turns);
            return Ok(Some(Start {
                at,
                session,
                group,
                turns,
            }));
        }
        Ok(None)
    }

    fn time(&self, ms: f64) -> Result<SimTime, SettingError> {
        let Some(speedup) = self.speedup else {
            return Ok(SimTime::ZERO);
        };
        let since = SimDuration::try_from_ms(ms / speedup).map_err(|error| SettingError {
            field: "the last arrival",
            expected: "within 584 years",
            got: format!("{} ms", error.0),
        })?;
        Ok(SimTime::ZERO.saturating_add(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(load: &Synthetic, speedup: f64, window: Window) -> Vec<(u32, u64, u32)> {
        let mut starts = Starts::new(load, Pacing::Arrivals { speedup }, &window).unwrap();
        std::iter::from_fn(|| starts.next().unwrap())
            .map(|start| (start.session, start.at.as_ns(), start.turns))
            .collect()
    }

    #[test]
    fn poisson_arrivals_of_seed_42_are_the_reference_s() {
        let load = Synthetic {
            spacing: Spacing::Poisson {
                per_s: 10.0,
                seed: 42,
            },
            ..Synthetic::plain(1, 1, 5)
        };
        let at: Vec<u64> = starts(&load, 1.0, Window::default())
            .iter()
            .map(|start| start.1)
            .collect();
        let expected = [0, 74_772_462, 153_019_540, 254_207_537, 306_278_595];
        assert_eq!(at, expected);
    }

    #[test]
    fn windows_and_speedup() {
        let load = Synthetic {
            spacing: Spacing::Interval { ms: 500.0 },
            turns_per_session: 2,
            ..Synthetic::plain(1, 1, 10)
        };
        let window = Window {
            from_s: Some(0.9),
            to_s: Some(3.0),
            limit: Some(5),
        };
        let expected = [(2, 0, 2), (3, 250_000_000, 2), (4, 500_000_000, 1)];
        assert_eq!(starts(&load, 2.0, window), expected);
    }

    #[test]
    fn a_load_longer_than_time_is_refused() {
        let load = Synthetic {
            spacing: Spacing::Interval { ms: 1e300 },
            ..Synthetic::plain(1, 1, 10)
        };
        let made = Starts::new(&load, Pacing::Arrivals { speedup: 1.0 }, &Window::default());
        assert!(made.is_err());
    }
}
