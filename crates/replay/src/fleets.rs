//! The pools of a deployment, the prefill pool first where both are asked.

use sim_api::{CoverageTally, EngineError, Limit, Observer, Pool, SegmentId};
use sim_core::SimTime;

use crate::fleet::{Ears, Fleet};

/// One fleet, or two.
pub(crate) struct Fleets {
    pub(crate) prefill: Option<Fleet>,
    pub(crate) decode: Fleet,
}

impl Fleets {
    /// The fleet of `pool`. Only a deployment with a prefill pool is asked for it.
    pub(crate) fn of(&mut self, pool: Pool) -> &mut Fleet {
        match pool {
            Pool::Prefill => self.prefill.as_mut().expect("pool exists"),
            Pool::Decode => &mut self.decode,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Fleet> {
        self.prefill.iter().chain([&self.decode])
    }

    /// Advances every engine.
    pub(crate) fn advance_all(
        &mut self,
        limit: Limit,
        ears: &mut Ears<'_>,
    ) -> Result<(), EngineError> {
        for fleet in self.prefill.iter_mut().chain([&mut self.decode]) {
            fleet.advance_all(limit, ears)?;
        }
        Ok(())
    }

    /// Tells observers the load of every worker.
    pub(crate) fn sample_loads(&self, now: SimTime, observer: &mut dyn Observer) {
        for fleet in self.all() {
            fleet.sample_load(now, observer);
        }
    }

    /// End of the last pass of any worker, as far as engines were advanced.
    pub(crate) fn last_pass_end(&self) -> SimTime {
        let ends = self.all().map(|fleet| fleet.last_pass_end);
        ends.max().unwrap_or(SimTime::ZERO)
    }

    /// Adds the segments that caches and routers know; false if one cannot say.
    pub(crate) fn known_segments(&self, out: &mut Vec<SegmentId>) -> bool {
        self.all().all(|fleet| fleet.known_segments(out))
    }

    /// Busy time of all workers that ever were.
    pub(crate) fn coverage(&self) -> CoverageTally {
        let mut total = CoverageTally::default();
        for fleet in self.all() {
            total.merge(fleet.coverage());
        }
        total
    }
}
