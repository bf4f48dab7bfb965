//! What every simple policy knows of its pool: who is ready, and who has how
//! many requests in flight.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{Dispatch, Overlap, RequestId, RouterError, RouterEvent, WorkerId};

/// A worker that takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) id: WorkerId,
    /// Requests sent and not completed; stays 0 where none is
    /// [counted](Roster::send).
    pub(super) in_flight: u32,
}

/// The workers of one pool.
///
/// Draining workers cannot be chosen, but are remembered until they are gone:
/// what they complete must not be missed should they be ready again.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    /// Ascending by id.
    ready: Vec<Ready>,
    draining: Vec<Ready>,
    /// Where the counted requests are.
    placed: HashMap<RequestId, WorkerId, FxBuildHasher>,
}

impl Roster {
    /// Takes note of what happened.
    ///
    /// # Errors
    /// A worker is ready twice.
    pub(super) fn on(&mut self, event: &RouterEvent) -> Result<(), RouterError> {
        match *event {
            RouterEvent::WorkerReady(id, _) => self.join(id)?,
            RouterEvent::WorkerDraining(id) => {
                if let Ok(index) = self.find(id) {
                    self.draining.push(self.ready.remove(index));
                }
            }
            RouterEvent::WorkerGone(id) => {
                if let Ok(index) = self.find(id) {
                    self.ready.remove(index);
                }
                self.draining.retain(|worker| worker.id != id);
            }
            RouterEvent::Completed(request) => self.complete(request),
            RouterEvent::PrefillDone(_) | RouterEvent::Kv(..) => {}
        }
        Ok(())
    }

    fn join(&mut self, id: WorkerId) -> Result<(), RouterError> {
        let Err(place) = self.find(id) else {
            let text = format!("worker {} is ready twice", id.0);
            return Err(RouterError::Inconsistent(text));
        };
        let drained = self.draining.iter().position(|worker| worker.id == id);
        let worker = match drained {
            Some(index) => self.draining.swap_remove(index),
            None => Ready { id, in_flight: 0 },
        };
        self.ready.insert(place, worker);
        Ok(())
    }

    fn complete(&mut self, request: RequestId) {
        let Some(id) = self.placed.remove(&request) else {
            return;
        };
        let worker = match self.find(id) {
            Ok(index) => self.ready.get_mut(index),
            Err(_) => self.draining.iter_mut().find(|worker| worker.id == id),
        };
        if let Some(worker) = worker {
            worker.in_flight -= 1;
        }
    }

    fn find(&self, id: WorkerId) -> Result<usize, usize> {
        self.ready.binary_search_by_key(&id, |worker| worker.id)
    }

    /// The ready workers, ascending by id, of which there is at least one.
    ///
    /// # Errors
    /// There is none for `request`.
    pub(super) fn candidates(&self, request: RequestId) -> Result<&[Ready], RouterError> {
        if self.ready.is_empty() {
            return Err(RouterError::NoWorkers(request));
        }
        Ok(&self.ready)
    }

    /// Whether the worker takes requests.
    pub(super) fn is_ready(&self, id: WorkerId) -> bool {
        self.find(id).is_ok()
    }

    /// Whether the worker is ready or drains.
    pub(super) fn knows(&self, id: WorkerId) -> bool {
        self.is_ready(id) || self.draining.iter().any(|worker| worker.id == id)
    }

    /// The worker with the fewest requests in flight, the lowest id of several.
    ///
    /// # Errors
    /// There is none for `request`.
    pub(super) fn least_loaded(&self, request: RequestId) -> Result<WorkerId, RouterError> {
        let workers = self.ready.iter();
        let least = workers.min_by_key(|worker| worker.in_flight);
        least
            .map(|worker| worker.id)
            .ok_or(RouterError::NoWorkers(request))
    }

    /// Counts `request` as in flight on a ready worker, until it completes.
    pub(super) fn send(
        &mut self,
        request: RequestId,
        worker: WorkerId,
        overlap: Option<Overlap>,
    ) -> Dispatch {
        if let Ok(index) = self.find(worker) {
            self.ready[index].in_flight += 1;
            self.placed.insert(request, worker);
        }
        Dispatch {
            request,
            worker,
            overlap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{PROFILE, ready};

    #[test]
    fn a_worker_that_drains_and_comes_back_keeps_its_count() {
        let mut roster = Roster::default();
        for id in [2, 0, 1] {
            roster.on(&ready(id)).unwrap();
        }
        let twice = roster.on(&ready(1)).unwrap_err();
        assert!(twice.to_string().contains("worker 1 is ready twice"));
        for request in 0..2 {
            roster.send(RequestId(request), WorkerId(1), None);
        }
        roster
            .on(&RouterEvent::WorkerDraining(WorkerId(1)))
            .unwrap();
        assert!(!roster.is_ready(WorkerId(1)) && roster.knows(WorkerId(1)));
        roster.on(&RouterEvent::Completed(RequestId(0))).unwrap();
        roster
            .on(&RouterEvent::WorkerReady(WorkerId(1), PROFILE))
            .unwrap();
        let counts: Vec<(u32, u32)> = roster
            .candidates(RequestId(9))
            .unwrap()
            .iter()
            .map(|worker| (worker.id.0, worker.in_flight))
            .collect();
        assert_eq!(counts, [(0, 0), (1, 1), (2, 0)]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_its_late_completions_are_harmless() {
        let mut roster = Roster::default();
        roster.on(&ready(0)).unwrap();
        roster.send(RequestId(0), WorkerId(0), None);
        roster.on(&RouterEvent::WorkerGone(WorkerId(0))).unwrap();
        assert!(!roster.knows(WorkerId(0)));
        for request in [0, 0, 7] {
            roster
                .on(&RouterEvent::Completed(RequestId(request)))
                .unwrap();
        }
        assert_eq!(
            roster.candidates(RequestId(8)),
            Err(RouterError::NoWorkers(RequestId(8)))
        );
        assert!(roster.placed.is_empty());
    }
}
