//! Round robin: workers in turn, whatever their load.

use sim_api::{Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest, WorkerId};
use sim_core::SimTime;

/// Sends requests to the ready workers in turn, by ascending id.
///
/// The place in the turn is kept modulo the number of workers, so that it
/// starts over from a wrapped value when workers come or go.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    /// Ready workers, ascending.
    ready: Vec<WorkerId>,
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
        if self.ready.is_empty() {
            return Err(RouterError::NoWorkers(request.id));
        }
        let index = self.next % self.ready.len();
        self.next = index + 1;
        out.push(Dispatch {
            request: request.id,
            worker: self.ready[index],
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
        match event {
            RouterEvent::WorkerReady(id, _) => match self.ready.binary_search(&id) {
                Ok(_) => {
                    return Err(RouterError::Inconsistent(format!(
                        "worker {} is ready twice",
                        id.0
                    )));
                }
                Err(place) => self.ready.insert(place, id),
            },
            RouterEvent::WorkerDraining(id) => self.ready.retain(|&ready| ready != id),
            _ => {}
        }
        Ok(())
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
    use sim_api::{Prompt, RequestId, Role, SessionId, WorkerProfile};

    const PROFILE: WorkerProfile = WorkerProfile {
        block_tokens: 64,
        blocks: 10,
        max_batched_tokens: None,
        max_sequences: None,
        role: Role::Aggregated,
        gpus: 1,
        draft_tokens: 0,
    };

    fn choices(router: &mut RoundRobin, count: u32) -> Vec<u32> {
        let mut out = Vec::new();
        for id in 0..count {
            let request = RoutingRequest {
                id: RequestId(id),
                session: SessionId(id),
                prompt: Prompt::new(1, [].into()),
                priority: 0,
            };
            router.arrive(SimTime::ZERO, &request, &mut out).unwrap();
        }
        out.iter().map(|dispatch| dispatch.worker.0).collect()
    }

    fn ready(router: &mut RoundRobin, id: u32) {
        let event = RouterEvent::WorkerReady(WorkerId(id), PROFILE);
        router.on(SimTime::ZERO, event, &mut Vec::new()).unwrap();
    }

    #[test]
    fn the_turn_wraps_and_is_kept_when_workers_come_and_go() {
        let mut router = RoundRobin::new();
        for id in [1, 0, 2] {
            ready(&mut router, id);
        }
        assert_eq!(choices(&mut router, 4), [0, 1, 2, 0]);
        let event = RouterEvent::WorkerDraining(WorkerId(1));
        router.on(SimTime::ZERO, event, &mut Vec::new()).unwrap();
        // The place in the turn is 1: the second of the workers left.
        assert_eq!(choices(&mut router, 3), [2, 0, 2]);
    }

    #[test]
    fn without_workers_there_is_no_choice() {
        let request = RoutingRequest {
            id: RequestId(7),
            session: SessionId(0),
            prompt: Prompt::new(1, [].into()),
            priority: 0,
        };
        let answer = RoundRobin::new().arrive(SimTime::ZERO, &request, &mut Vec::new());
        assert_eq!(answer, Err(RouterError::NoWorkers(RequestId(7))));
    }
}
