//! Random: any ready worker, whatever its load.

use rand_chacha::ChaCha8Rng;
use sim_api::{Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest};
use sim_core::{SimTime, named_stream};

use super::Side;
use super::draw::below;
use super::roster::Roster;

/// Sends each request to a ready worker drawn uniformly.
///
/// Draws come from a stream of the run's seed and the pool's side, one a
/// request: equal seeds make equal choices.
#[derive(Clone, Debug)]
pub struct Random {
    roster: Roster,
    draws: ChaCha8Rng,
}

impl Random {
    /// A router without workers; events bring them.
    pub fn new(side: Side, seed: u64) -> Self {
        Self {
            roster: Roster::default(),
            draws: named_stream(seed, "router random", side as u64),
        }
    }
}

impl Router for Random {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let workers = self.roster.candidates(request.id)?;
        out.push(Dispatch {
            request: request.id,
            worker: workers[below(&mut self.draws, workers.len())].id,
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
    fn every_ready_worker_gets_its_share() {
        let mut router = Random::new(Side::Aggregated, 1);
        for id in 0..5 {
            tell(&mut router, ready(id));
        }
        tell(&mut router, RouterEvent::WorkerDraining(WorkerId(2)));
        let mut counts = [0_i32; 5];
        for worker in choices(&mut router, 0..8000) {
            counts[worker as usize] += 1;
        }
        assert_eq!(counts[2], 0);
        // Four times the standard deviation of a binomial count.
        assert!(
            [0, 1, 3, 4]
                .iter()
                .all(|&id| (counts[id] - 2000).abs() < 155),
            "{counts:?}"
        );
    }

    #[test]
    fn pools_and_seeds_have_streams_of_their_own() {
        let draws = |side, seed| {
            let mut router = Random::new(side, seed);
            for id in 0..8 {
                tell(&mut router, ready(id));
            }
            choices(&mut router, 0..40)
        };
        let one = draws(Side::Prefill, 1);
        assert_eq!(one, draws(Side::Prefill, 1));
        assert_ne!(one, draws(Side::Decode, 1));
        assert_ne!(one, draws(Side::Prefill, 2));
    }
}
