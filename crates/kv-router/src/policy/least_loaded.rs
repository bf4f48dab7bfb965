//! Least loaded: the worker with the fewest requests in flight.

use sim_api::{Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest};
use sim_core::SimTime;

use super::roster::Roster;

/// Sends each request to the ready worker with the fewest requests in flight,
/// the lowest id of several.
#[derive(Clone, Debug, Default)]
pub struct LeastLoaded {
    roster: Roster,
}

impl LeastLoaded {
    /// A router without workers; events bring them.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Router for LeastLoaded {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let worker = self.roster.least_loaded(request.id)?;
        out.push(self.roster.send(request.id, worker, None));
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
        RouterNeeds {
            kv: false,
            progress: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, ready, tell};
    use sim_api::RequestId;

    #[test]
    fn a_completion_makes_its_worker_the_least_loaded() {
        let mut router = LeastLoaded::new();
        for id in [1, 0] {
            tell(&mut router, ready(id));
        }
        assert_eq!(choices(&mut router, 0..2), [0, 1]);
        tell(&mut router, RouterEvent::Completed(RequestId(1)));
        assert_eq!(choices(&mut router, 2..3), [1]);
    }
}
