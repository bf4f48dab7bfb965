//! Power of two choices: the less loaded of two random workers.

use rand_chacha::ChaCha8Rng;
use sim_api::{Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest};
use sim_core::{SimTime, named_stream};

use super::Side;
use super::draw::two_below;
use super::roster::Roster;

/// Draws two different ready workers a request and sends it to the one with
/// fewer requests in flight, the lower id if they have as many.
///
/// It asks for the load of two workers instead of all, and stays close to
/// least loaded all the same: with requests and workers in proportion, the
/// longest queue grows as log log of the number of workers, where one random
/// draw makes it log / log log (Azar et al. 1994; Mitzenmacher 1996).
#[derive(Clone, Debug)]
pub struct PowerOfTwo {
    roster: Roster,
    draws: ChaCha8Rng,
}

impl PowerOfTwo {
    /// A router without workers; events bring them. Equal seeds make equal
    /// choices.
    pub fn new(side: Side, seed: u64) -> Self {
        Self {
            roster: Roster::default(),
            draws: named_stream(seed, "router power of two", side as u64),
        }
    }
}

impl Router for PowerOfTwo {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let chosen = match self.roster.candidates(request.id)? {
            [only] => only.id,
            workers => {
                let (one, two) = two_below(&mut self.draws, workers.len());
                let [one, two] = [workers[one], workers[two]];
                let better = |worker: super::roster::Ready| (worker.in_flight, worker.id);
                better(one).min(better(two)).1
            }
        };
        out.push(self.roster.send(request.id, chosen, None));
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
    use sim_api::{RequestId, WorkerId};

    fn router(workers: u32) -> PowerOfTwo {
        let mut router = PowerOfTwo::new(Side::Aggregated, 7);
        for id in 0..workers {
            tell(&mut router, ready(id));
        }
        router
    }

    #[test]
    fn of_two_workers_the_less_loaded_is_taken_and_ties_go_to_the_lower() {
        let mut router = router(2);
        assert_eq!(choices(&mut router, 0..5), [0, 1, 0, 1, 0]);
        for id in [0, 2] {
            tell(&mut router, RouterEvent::Completed(RequestId(id)));
        }
        assert_eq!(choices(&mut router, 5..7), [0, 0]);
    }

    #[test]
    fn loads_stay_nearly_even_though_only_two_are_asked() {
        let mut router = router(10);
        let mut counts = [0_u32; 10];
        for worker in choices(&mut router, 0..1000) {
            counts[worker as usize] += 1;
        }
        assert!(
            counts.iter().all(|&n| (95..=105).contains(&n)),
            "{counts:?}"
        );
        assert_ne!(counts, [100; 10], "it does not ask all workers");
    }

    #[test]
    fn a_single_ready_worker_gets_all() {
        let mut router = router(2);
        tell(&mut router, RouterEvent::WorkerDraining(WorkerId(0)));
        assert_eq!(choices(&mut router, 0..3), [1, 1, 1]);
    }
}
