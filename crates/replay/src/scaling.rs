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
    /// When the last tick was due.
    last_due: Option<SimTime>,
}

impl Autoscaler {
    pub(crate) fn new(policy: Box<dyn ScalingPolicy>) -> Self {
        Self {
            policy,
            traffic: TrafficWindow::default(),
            last_due: None,
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
        // The reference asks again at the same instant for ever where nothing
        // happens in an interval; the second time our clock moves on.
        let asked_again = scaler.last_due == Some(due);
        scaler.last_due = Some(due);
        let now = if self.spec.quirks.has(Quirk::TickAtLastEvent) && !asked_again {
            last_activity
        } else {
            due
        };
        let decode = observe(&mut self.decode);
        scaler.traffic.passes(&decode.passes);
        let wants_traffic = scaler.policy.needs().traffic;
        let observation = Observation {
            now,
            prefill: self.prefill.as_mut().map(observe),
            decode,
            traffic: wants_traffic.then(|| scaler.traffic.drain(now)),
        };
        let decision = scaler.policy.on_tick(&observation)?;
        self.scaler = Some(scaler);
        self.sample_loads(now);
        self.observer.tick(&decision.record);
        if let Some(targets) = decision.targets {
            for event in &decision.events {
                self.observer.scaled(event);
            }
            self.apply(now, targets)?;
        }
        Ok(true)
    }

    fn sample_loads(&mut self, now: SimTime) {
        if let Some(prefill) = &self.prefill {
            prefill.sample_load(now, self.observer);
        }
        self.decode.sample_load(now, self.observer);
    }

    fn apply(&mut self, now: SimTime, targets: Targets) -> Result<(), RunError> {
        if self.prefill.is_some()
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
        let fleet = self.fleet(pool);
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
        let fleet = match pool {
            Pool::Prefill => self.prefill.as_mut().expect("pool exists"),
            Pool::Decode => &mut self.decode,
        };
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
