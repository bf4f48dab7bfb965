//! Collecting what routers do, a few additions a request.

use sim_api::{Dispatch, Pool, WorkerChange, WorkerRef};
use sim_core::SimTime;

use super::spread::Spread;
use super::{HitSums, PoolRouting, RouterSummary};
use crate::collect::{EXACT_LIMIT, Samples};

#[derive(Clone, Debug, Default)]
struct PoolStats {
    exists: bool,
    dispatched: u64,
    spread: Spread,
}

/// What the routers of a run did so far.
#[derive(Clone, Debug)]
pub(crate) struct RouterStats {
    prefill: PoolStats,
    decode: PoolStats,
    hits: HitSums,
    queueing: Samples<u64>,
    waited: u64,
}

impl Default for RouterStats {
    fn default() -> Self {
        Self {
            prefill: PoolStats::default(),
            decode: PoolStats::default(),
            hits: HitSums::default(),
            queueing: Samples::new(EXACT_LIMIT),
            waited: 0,
        }
    }
}

impl RouterStats {
    pub(crate) fn pool(&mut self, pool: Pool) {
        self.of(pool).exists = true;
    }

    pub(crate) fn worker(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        let spread = &mut self.of(worker.pool).spread;
        match change {
            WorkerChange::Starting => {}
            WorkerChange::Ready => spread.ready(at, worker.id, true),
            WorkerChange::Draining | WorkerChange::Cancelled | WorkerChange::Gone => {
                spread.ready(at, worker.id, false);
            }
        }
    }

    /// A request that arrived at `arrived` was sent to a worker.
    pub(crate) fn dispatched(
        &mut self,
        at: SimTime,
        pool: Pool,
        dispatch: &Dispatch,
        arrived: SimTime,
    ) {
        let of = self.of(pool);
        of.dispatched += 1;
        of.spread.in_flight(at, dispatch.worker, 1);
        if pool == self.first_pool() {
            match at.saturating_since(arrived).as_ns() {
                0 => self.queueing.add_zero(),
                waited => {
                    self.waited += 1;
                    self.queueing.add(waited);
                }
            }
        }
        if let Some(overlap) = dispatch.overlap {
            self.hits.add(overlap);
        }
    }

    /// A dispatched request has left its worker.
    pub(crate) fn left(&mut self, at: SimTime, worker: WorkerRef) {
        self.of(worker.pool).spread.in_flight(at, worker.id, -1);
    }

    /// The pool that arrivals go to.
    fn first_pool(&self) -> Pool {
        if self.prefill.exists {
            Pool::Prefill
        } else {
            Pool::Decode
        }
    }

    fn of(&mut self, pool: Pool) -> &mut PoolStats {
        match pool {
            Pool::Prefill => &mut self.prefill,
            Pool::Decode => &mut self.decode,
        }
    }

    /// The figures; `None` where there was nothing to decide: no pool with two
    /// workers, no index, no queue.
    pub(crate) fn summary(self) -> Option<RouterSummary> {
        let first = match self.first_pool() {
            Pool::Prefill => &self.prefill,
            Pool::Decode => &self.decode,
        };
        let dispatched = first.dispatched;
        let choices = [&self.prefill, &self.decode]
            .iter()
            .any(|pool| pool.spread.ever_ready > 1);
        let hit_rate = self.hits.rate();
        let said = choices || hit_rate.is_some() || self.waited > 0;
        (said && dispatched > 0).then(|| RouterSummary {
            dispatched,
            hit_rate,
            queueing: self.queueing.distribution(),
            waited: self.waited,
            prefill: self.prefill.exists.then(|| self.prefill.routing()),
            decode: self.decode.routing(),
        })
    }
}

impl PoolStats {
    fn routing(&self) -> PoolRouting {
        PoolRouting {
            dispatched: self.dispatched,
            workers: self.spread.ever_ready,
            window: self.spread.window(),
            spread: self.spread.points(),
        }
    }
}
