//! Least loaded: the worker with the fewest requests in flight.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{
    Dispatch, RequestId, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest, WorkerId,
};
use sim_core::SimTime;

/// Sends each request to the ready worker with the fewest requests in flight,
/// the lowest id of several.
#[derive(Clone, Debug, Default)]
pub struct LeastLoaded {
    /// Ready workers, ascending, with their requests in flight.
    ready: Vec<(WorkerId, u32)>,
    placed: HashMap<RequestId, WorkerId, FxBuildHasher>,
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
        let best = self.ready.iter_mut().min_by_key(|worker| worker.1);
        let Some((worker, in_flight)) = best else {
            return Err(RouterError::NoWorkers(request.id));
        };
        *in_flight += 1;
        self.placed.insert(request.id, *worker);
        out.push(Dispatch {
            request: request.id,
            worker: *worker,
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
            RouterEvent::WorkerReady(id, _) => {
                match self.ready.binary_search_by_key(&id, |worker| worker.0) {
                    Ok(_) => {
                        let text = format!("worker {} is ready twice", id.0);
                        return Err(RouterError::Inconsistent(text));
                    }
                    Err(place) => self.ready.insert(place, (id, 0)),
                }
            }
            RouterEvent::WorkerDraining(id) => self.ready.retain(|worker| worker.0 != id),
            RouterEvent::Completed(request) => {
                if let Some(id) = self.placed.remove(&request)
                    && let Some(worker) = self.ready.iter_mut().find(|worker| worker.0 == id)
                {
                    worker.1 -= 1;
                }
            }
            _ => {}
        }
        Ok(())
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
    use sim_api::{Prompt, Role, SessionId, WorkerProfile};

    #[test]
    fn a_completion_makes_its_worker_the_least_loaded() {
        let profile = WorkerProfile {
            block_tokens: 64,
            blocks: 10,
            max_batched_tokens: None,
            max_sequences: None,
            role: Role::Aggregated,
            gpus: 1,
            draft_tokens: 0,
        };
        let (mut router, mut out) = (LeastLoaded::new(), Vec::new());
        for id in [1, 0] {
            let event = RouterEvent::WorkerReady(WorkerId(id), profile);
            router.on(SimTime::ZERO, event, &mut out).unwrap();
        }
        for id in 0..3 {
            if id == 2 {
                let event = RouterEvent::Completed(RequestId(1));
                router.on(SimTime::ZERO, event, &mut out).unwrap();
            }
            let request = RoutingRequest {
                id: RequestId(id),
                session: SessionId(id),
                prompt: Prompt::new(1, [].into()),
                priority: 0,
            };
            router.arrive(SimTime::ZERO, &request, &mut out).unwrap();
        }
        let workers: Vec<u32> = out.iter().map(|dispatch| dispatch.worker.0).collect();
        assert_eq!(workers, [0, 1, 1]);
    }
}
