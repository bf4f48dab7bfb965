//! Round robin: workers in turn, whatever their load.

use sim_api::{Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest};
use sim_core::SimTime;

use super::roster::Roster;

/// Sends requests to the ready workers in turn, by ascending id.
///
/// The place in the turn is kept modulo the number of workers, so that it
/// starts over from a wrapped value when workers come or go.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    roster: Roster,
    next: usize,
}

impl RoundRobin {
    /// A router without workers; events bring them.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Router for RoundRobin {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let workers = self.roster.candidates(request.id)?;
        let index = self.next % workers.len();
        self.next = index + 1;
        out.push(Dispatch {
            request: request.id,
            worker: workers[index].id,
            overlap: None,
        });
        Ok(())
    }

    fn on(
        &mut self,
        _now: SimTime,
        event: RouterEvent,
        _out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        self.roster.on(&event)
    }

    fn queued(&self) -> usize {
        0
    }

    fn needs(&self) -> RouterNeeds {
        RouterNeeds::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, ready, tell};
    use sim_api::WorkerId;

    #[test]
    fn the_turn_wraps_and_is_kept_when_workers_come_and_go() {
        let mut router = RoundRobin::new();
        for id in [1, 0, 2] {
            tell(&mut router, ready(id));
        }
        assert_eq!(choices(&mut router, 0..4), [0, 1, 2, 0]);
        tell(&mut router, RouterEvent::WorkerDraining(WorkerId(1)));
        // The place in the turn is 1: the second of the workers left.
        assert_eq!(choices(&mut router, 4..7), [2, 0, 2]);
    }
}
