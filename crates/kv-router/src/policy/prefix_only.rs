//! Prefix only: to where most of the prompt is cached, whatever the load.

use std::cmp::Reverse;

use sim_api::{
    Dispatch, Overlap, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest, SegmentId,
};
use sim_core::SimTime;

use super::roster::Roster;
use crate::run_index::RunIndex;

/// Sends each request to the ready worker that has the most leading blocks of
/// its prompt in its cache: of several the one with the fewest requests in
/// flight, of several of those the lowest id.
///
/// It is the far end of what [`KvRouter`](crate::KvRouter) weighs: the best
/// reuse that a router can hope for, and no regard for queues. Needs cache
/// events, so it is not for decode pools, which make none.
#[derive(Debug, Default)]
pub struct PrefixOnly {
    roster: Roster,
    index: RunIndex,
    /// Tokens of a KV block, the same on all workers of a pool.
    block_tokens: u32,
}

impl PrefixOnly {
    /// A router without workers; events bring them.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Router for PrefixOnly {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let prompt = &request.prompt;
        let workers = self.roster.candidates(request.id)?.iter();
        let depths = workers.map(|worker| (self.index.depth(worker.id, prompt.runs()), worker));
        let best = depths
            .max_by_key(|&(depth, worker)| (depth, Reverse(worker.in_flight), Reverse(worker.id)));
        let Some((blocks, &worker)) = best else {
            return Err(RouterError::NoWorkers(request.id));
        };
        let overlap = Overlap {
            blocks,
            best_blocks: blocks,
            isl_blocks: prompt.tokens().div_ceil(self.block_tokens.max(1)),
        };
        out.push(self.roster.send(request.id, worker.id, Some(overlap)));
        Ok(())
    }

    fn on(
        &mut self,
        _now: SimTime,
        event: RouterEvent,
        _out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        match event {
            // Events under way may arrive after their worker is gone.
            RouterEvent::Kv(worker, change) if self.roster.knows(worker) => {
                self.index.apply(worker, change);
                return Ok(());
            }
            RouterEvent::WorkerReady(_, profile) => self.block_tokens = profile.block_tokens,
            RouterEvent::WorkerGone(worker) => self.index.purge(worker),
            _ => {}
        }
        self.roster.on(&event)
    }

    fn queued(&self) -> usize {
        0
    }

    fn known_segments(&self, out: &mut Vec<SegmentId>) -> bool {
        self.index.add_segments(out);
        true
    }

    fn needs(&self) -> RouterNeeds {
        RouterNeeds {
            kv: true,
            progress: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choice, ready, request, tell};
    use sim_api::{KvChange, KvRun, Prompt, WorkerId};

    fn stored(worker: u32, blocks: u32) -> RouterEvent {
        let run = KvRun {
            segment: SegmentId(0),
            blocks,
        };
        RouterEvent::Kv(WorkerId(worker), KvChange::Stored { run })
    }

    fn long(id: u32) -> RoutingRequest {
        let run = KvRun {
            segment: SegmentId(0),
            blocks: 4,
        };
        RoutingRequest {
            prompt: Prompt::new(4 * 64 + 1, [run].into()),
            ..request(id, id)
        }
    }

    fn router() -> PrefixOnly {
        let mut router = PrefixOnly::new();
        for id in 0..3 {
            tell(&mut router, ready(id));
        }
        router
    }

    #[test]
    fn the_most_overlap_wins_whatever_the_load() {
        let mut router = router();
        tell(&mut router, stored(1, 2));
        tell(&mut router, stored(2, 3));
        for id in 0..5 {
            assert_eq!(choice(&mut router, &long(id)), 2);
        }
        let mut out = Vec::new();
        router.arrive(SimTime::ZERO, &long(5), &mut out).unwrap();
        let overlap = Overlap {
            blocks: 3,
            best_blocks: 3,
            isl_blocks: 5,
        };
        assert_eq!(out[0].overlap, Some(overlap));
        tell(&mut router, RouterEvent::WorkerDraining(WorkerId(2)));
        assert_eq!(choice(&mut router, &long(6)), 1);
    }

    #[test]
    fn ties_go_to_the_least_loaded_then_the_lowest() {
        let mut router = router();
        let picked: Vec<u32> = (0..4).map(|id| choice(&mut router, &long(id))).collect();
        assert_eq!(picked, [0, 1, 2, 0]);
        tell(&mut router, stored(0, 4));
        tell(&mut router, stored(2, 4));
        assert_eq!(choice(&mut router, &long(4)), 2);
    }

    #[test]
    fn a_worker_that_is_gone_leaves_nothing_behind() {
        let mut router = router();
        tell(&mut router, stored(2, 4));
        tell(&mut router, RouterEvent::WorkerGone(WorkerId(2)));
        tell(&mut router, stored(2, 4));
        assert!(router.index.is_empty());
    }
}
