//! Planner ticks: what the policy sees, and how its targets become workers.

use sim_api::{
    Limit, Observation, Pool, PoolObservation, Quirk, RouterEvent, ScalingPolicy, Targets,
};
use sim_core::SimTime;

use crate::fleet::Fleet;
use crate::run::Simulation;
use crate::spec::RunError;
use crate::traffic::TrafficWindow;

/// A scaling policy with what the loop gathers for it.
pub(crate) struct Autoscaler {
    policy: Box<dyn ScalingPolicy>,
    pub(crate) traffic: TrafficWindow,
    clock: EventClock,
}

/// A clock that stands still between events.
#[derive(Debug, Default)]
struct EventClock {
    /// When the last tick was due.
    last_due: Option<SimTime>,
    /// How far it was moved on though nothing happened.
    pushed_to: SimTime,
}

impl EventClock {
    /// What it says at a tick due at `due` if the last thing happened at `last`.
    ///
    /// The reference asks again at the same instant for ever where nothing
    /// happens in an interval; the second time this clock moves on, and never
    /// back.
    fn at(&mut self, due: SimTime, last: SimTime) -> SimTime {
        if self.last_due.replace(due) == Some(due) {
            self.pushed_to = due;
        }
        last.max(self.pushed_to)
    }
}

impl Autoscaler {
    pub(crate) fn new(policy: Box<dyn ScalingPolicy>) -> Self {
        Self {
            policy,
            traffic: TrafficWindow::default(),
            clock: EventClock::default(),
        }
    }

    pub(crate) fn next_tick(&self) -> SimTime {
        self.policy.next_tick()
    }
}

fn observe(fleet: &mut Fleet) -> PoolObservation {
    PoolObservation {
        ready: fleet.ready_ids(),
        starting: fleet.starting_ids(),
        draining: fleet.draining_ids(),
        passes: fleet.take_rows(),
    }
}

impl Simulation<'_> {
    /// Asks the policy at its tick; false if the run is over before it.
    pub(crate) fn tick(&mut self, due: SimTime) -> Result<bool, RunError> {
        self.advance_all(Limit::Through(due))?;
        if self.is_done()? {
            return Ok(false);
        }
        let last_activity = self.last_activity();
        let Some(mut scaler) = self.scaler.take() else {
            return Ok(false);
        };
        let now = if self.spec.quirks.has(Quirk::TickAtLastEvent) {
            scaler.clock.at(due, last_activity)
        } else {
            due
        };
        let decode = observe(&mut self.fleets.decode);
        scaler.traffic.passes(&decode.passes);
        let wants_traffic = scaler.policy.needs().traffic;
        let observation = Observation {
            now,
            prefill: self.fleets.prefill.as_mut().map(observe),
            decode,
            traffic: wants_traffic.then(|| scaler.traffic.drain(now)),
        };
        let decision = scaler.policy.on_tick(&observation)?;
        self.scaler = Some(scaler);
        self.fleets.sample_loads(now, self.observer);
        self.observer.tick(&decision.record);
        if let Some(targets) = decision.targets {
            for event in &decision.events {
                self.observer.scaled(event);
            }
            self.apply(now, targets)?;
        }
        Ok(true)
    }

    fn apply(&mut self, now: SimTime, targets: Targets) -> Result<(), RunError> {
        if self.fleets.prefill.is_some()
            && let Some(target) = targets.prefill
        {
            self.scale(Pool::Prefill, now, target)?;
        }
        match targets.decode {
            Some(target) => self.scale(Pool::Decode, now, target),
            None => Ok(()),
        }
    }

    /// Brings ready and starting workers of a pool to `target`.
    fn scale(&mut self, pool: Pool, now: SimTime, target: u32) -> Result<(), RunError> {
        if target == 0 {
            return Err(RunError::ScaledToZero { pool });
        }
        let fleet = self.fleets.of(pool);
        let mut effective = fleet.ready_ids().len() + fleet.starting_ids().len();
        while effective < target as usize {
            self.add_worker(pool, now, false)?;
            effective += 1;
        }
        while effective > target as usize {
            self.remove_worker(pool, now)?;
            effective -= 1;
        }
        Ok(())
    }

    /// Cancels the newest starting worker, else drains the newest ready one.
    fn remove_worker(&mut self, pool: Pool, now: SimTime) -> Result<(), RunError> {
        let fleet = self.fleets.of(pool);
        if fleet.cancel_one(now, self.observer) {
            return Ok(());
        }
        let Some(worker) = fleet.drain_one(now, self.observer) else {
            return Ok(());
        };
        self.tell_router(pool, now, RouterEvent::WorkerDraining(worker))?;
        // An idle worker is gone at once.
        self.advance_worker(pool, now, worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_follows_events_and_gets_through_the_longest_gap() {
        let mut clock = EventClock::default();
        let ns = SimTime::from_ns;
        assert_eq!(clock.at(ns(10), ns(8)), ns(8));
        assert_eq!(clock.at(ns(18), ns(17)), ns(17));
        // The next tick is due ten after the clock, and nothing happens any more.
        let mut now = ns(17);
        let said: Vec<u64> = (0..6)
            .map(|_| {
                now = clock.at(ns(now.as_ns() + 10), ns(17));
                now.as_ns()
            })
            .collect();
        assert_eq!(said, [17, 27, 27, 37, 37, 47]);
        assert_eq!(clock.at(ns(57), ns(52)), ns(52));
    }
}
