//! The workers of one pool and their lives.

use sim_api::{
    CoverageTally, Engine, EngineError, EngineFactory, Feeds, Limit, Observer, PassRow, Pool,
    Router, RouterNeeds, SegmentId, Watch, WorkerChange, WorkerId, WorkerProfile, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

use crate::outcome::{Outcome, WorkerSink, is_hidden};

/// Where a worker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Starting,
    Ready,
    Draining { since: SimTime },
}

struct Worker {
    engine: Box<dyn Engine>,
    life: Life,
    /// The engine's bound for the fleet's current watch, while it holds.
    bound: Option<Option<SimTime>>,
}

/// The workers of one pool with the router in front of them.
pub(crate) struct Fleet {
    pub(crate) pool: Pool,
    pub(crate) router: Box<dyn Router>,
    pub(crate) needs: RouterNeeds,
    profile: WorkerProfile,
    startup: SimDuration,
    feeds: Feeds,
    keep_rows: bool,
    /// By worker id; `None` once a worker is gone. Ids are never reused.
    workers: Vec<Option<Worker>>,
    watch: Watch,
    rows: Vec<PassRow>,
    /// Keys of `rows` and where they stand, kept for its allocation.
    row_order: Vec<(SimTime, WorkerId, u32)>,
    gone: Vec<WorkerId>,
    /// Of the workers that are gone.
    coverage: CoverageTally,
    /// End of the last pass of any worker, as far as they were advanced.
    pub(crate) last_pass_end: SimTime,
}

/// What the loop asks of a new fleet.
pub(crate) struct FleetSpec {
    pub(crate) pool: Pool,
    pub(crate) startup: SimDuration,
    /// Whether the scaling policy wants pass records.
    pub(crate) keep_rows: bool,
    pub(crate) observer_wants_passes: bool,
}

/// The outside of a fleet that engines report to.
pub(crate) struct Ears<'a> {
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) outcomes: &'a mut Vec<Outcome>,
}

impl Fleet {
    pub(crate) fn new(
        spec: &FleetSpec,
        engines: &dyn EngineFactory,
        router: Box<dyn Router>,
    ) -> Self {
        let needs = router.needs();
        Self {
            pool: spec.pool,
            profile: engines.profile(spec.pool),
            needs,
            router,
            startup: spec.startup,
            feeds: Feeds {
                passes: spec.keep_rows || spec.observer_wants_passes,
                kv: needs.kv,
            },
            keep_rows: spec.keep_rows,
            workers: Vec::new(),
            watch: Watch::Completion,
            rows: Vec::new(),
            row_order: Vec::new(),
            gone: Vec::new(),
            coverage: CoverageTally::default(),
            last_pass_end: SimTime::ZERO,
        }
    }

    pub(crate) fn profile(&self) -> &WorkerProfile {
        &self.profile
    }

    pub(crate) fn worker_ref(&self, id: WorkerId) -> WorkerRef {
        WorkerRef {
            pool: self.pool,
            id,
        }
    }

    /// A new worker, starting or ready at once. Returns when it will be ready
    /// if it has to start.
    pub(crate) fn add(
        &mut self,
        now: SimTime,
        initial: bool,
        engines: &dyn EngineFactory,
        observer: &mut dyn Observer,
    ) -> (WorkerId, Option<SimTime>) {
        let id = WorkerId(u32::try_from(self.workers.len()).unwrap_or(u32::MAX));
        let starts = !initial && !self.startup.is_zero();
        self.workers.push(Some(Worker {
            engine: engines.spawn(self.pool, id, self.feeds),
            life: if starts { Life::Starting } else { Life::Ready },
            bound: None,
        }));
        let change = if starts {
            WorkerChange::Starting
        } else {
            WorkerChange::Ready
        };
        observer.worker(now, self.worker_ref(id), change);
        (id, starts.then(|| now.saturating_add(self.startup)))
    }

    /// A starting worker has started. False if it was cancelled meanwhile.
    pub(crate) fn ready(
        &mut self,
        now: SimTime,
        id: WorkerId,
        observer: &mut dyn Observer,
    ) -> bool {
        let worker = self.worker_ref(id);
        match self.slot(id) {
            Some(slot) if slot.life == Life::Starting => {
                slot.life = Life::Ready;
                observer.worker(now, worker, WorkerChange::Ready);
                true
            }
            _ => false,
        }
    }

    /// Takes the highest starting worker away; false if none starts.
    pub(crate) fn cancel_one(&mut self, now: SimTime, observer: &mut dyn Observer) -> bool {
        let Some(id) = self.starting_ids().last().copied() else {
            return false;
        };
        self.workers[id.0 as usize] = None;
        observer.worker(now, self.worker_ref(id), WorkerChange::Cancelled);
        true
    }

    /// The highest ready worker takes no more requests.
    pub(crate) fn drain_one(
        &mut self,
        now: SimTime,
        observer: &mut dyn Observer,
    ) -> Option<WorkerId> {
        let id = self.ready_ids().last().copied()?;
        let worker = self.worker_ref(id);
        let slot = self.slot(id)?;
        slot.life = Life::Draining { since: now };
        observer.worker(now, worker, WorkerChange::Draining);
        Some(id)
    }

    fn slot(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(id.0 as usize)?.as_mut()
    }

    /// The engine of a worker that has not gone.
    pub(crate) fn engine(&mut self, id: WorkerId) -> Option<&mut dyn Engine> {
        let slot = self.slot(id)?;
        slot.bound = None;
        Some(slot.engine.as_mut())
    }

    fn ids(&self, wanted: impl Fn(Life) -> bool) -> Vec<WorkerId> {
        (0..)
            .map(WorkerId)
            .zip(&self.workers)
            .filter(|(_, slot)| slot.as_ref().is_some_and(|worker| wanted(worker.life)))
            .map(|(id, _)| id)
            .collect()
    }

    pub(crate) fn ready_ids(&self) -> Vec<WorkerId> {
        self.ids(|life| life == Life::Ready)
    }

    pub(crate) fn starting_ids(&self) -> Vec<WorkerId> {
        self.ids(|life| life == Life::Starting)
    }

    pub(crate) fn draining_ids(&self) -> Vec<WorkerId> {
        self.ids(|life| matches!(life, Life::Draining { .. }))
    }

    /// Advances one worker; a drained one that has finished is gone.
    pub(crate) fn advance(
        &mut self,
        id: WorkerId,
        limit: Limit,
        ears: &mut Ears<'_>,
    ) -> Result<(), EngineError> {
        let worker = self.worker_ref(id);
        let Some(slot) = self.workers.get_mut(id.0 as usize).and_then(Option::as_mut) else {
            return Ok(());
        };
        slot.bound = None;
        let mut sink = WorkerSink {
            worker,
            hidden: is_hidden(self.pool),
            watch_first: self.needs.progress || self.keep_rows,
            observer: ears.observer,
            outcomes: ears.outcomes,
            rows: self.keep_rows.then_some(&mut self.rows),
        };
        let progress = slot.engine.advance(limit, &mut sink)?;
        if let Some(end) = progress.last_pass_end {
            self.last_pass_end = self.last_pass_end.max(end);
        }
        if let Life::Draining { since } = slot.life
            && progress.idle
        {
            let at = progress.last_pass_end.map_or(since, |end| end.max(since));
            self.coverage.merge(slot.engine.coverage());
            self.workers[id.0 as usize] = None;
            self.gone.push(id);
            ears.observer.worker(at, worker, WorkerChange::Gone);
        }
        Ok(())
    }

    /// Advances all workers in the order of their ids.
    pub(crate) fn advance_all(
        &mut self,
        limit: Limit,
        ears: &mut Ears<'_>,
    ) -> Result<(), EngineError> {
        for index in 0..self.workers.len() {
            self.advance(WorkerId(index as u32), limit, ears)?;
        }
        Ok(())
    }

    /// Whether a worker's watched outcome may be at `now`.
    pub(crate) fn is_due(&self, now: SimTime) -> bool {
        let bounds = self
            .workers
            .iter()
            .flatten()
            .filter_map(|worker| worker.bound);
        bounds.flatten().any(|at| at <= now)
    }

    /// Advances the workers whose watched outcome may be at `now`.
    pub(crate) fn advance_due(
        &mut self,
        limit: Limit,
        ears: &mut Ears<'_>,
    ) -> Result<(), EngineError> {
        let now = limit.instant();
        for index in 0..self.workers.len() {
            let due = |worker: &Worker| match worker.bound {
                Some(bound) => bound.is_some_and(|at| at <= now),
                None => true,
            };
            if self.workers[index].as_ref().is_some_and(due) {
                self.advance(WorkerId(index as u32), limit, ears)?;
            }
        }
        Ok(())
    }

    /// The earliest instant at which a watched outcome may be visible.
    pub(crate) fn next_visible(&mut self, watch: Watch) -> Result<Option<SimTime>, EngineError> {
        let stale = self.watch != watch;
        self.watch = watch;
        let mut earliest: Option<SimTime> = None;
        for worker in self.workers.iter_mut().flatten() {
            let bound = match worker.bound {
                Some(bound) if !stale => bound,
                _ => worker.engine.next_visible(watch)?,
            };
            worker.bound = Some(bound);
            earliest = match (earliest, bound) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            };
        }
        Ok(earliest)
    }

    /// Passes started since the last call, by (start, worker).
    pub(crate) fn take_rows(&mut self) -> Vec<PassRow> {
        // Each worker's rows are ascending already: a merge of sorted runs. Rows are wide, so that their keys are
        // sorted and each row is moved once.
        self.row_order.clear();
        let keys = self.rows.iter().zip(0..);
        self.row_order
            .extend(keys.map(|(row, index)| (row.start, row.worker, index)));
        self.row_order.sort();
        let ordered = self.row_order.iter();
        let rows = ordered
            .map(|&(.., index)| self.rows[index as usize])
            .collect();
        self.rows.clear();
        rows
    }

    /// Workers gone since the last call.
    pub(crate) fn take_gone(&mut self) -> Vec<WorkerId> {
        std::mem::take(&mut self.gone)
    }

    /// Tells observers the load of every worker.
    pub(crate) fn sample_load(&self, now: SimTime, observer: &mut dyn Observer) {
        for (id, slot) in (0..).map(WorkerId).zip(&self.workers) {
            if let Some(worker) = slot {
                observer.load(now, self.worker_ref(id), &worker.engine.load());
            }
        }
    }

    /// Adds the segments that caches and the router know; false if one cannot say.
    pub(crate) fn known_segments(&self, out: &mut Vec<SegmentId>) -> bool {
        let mut engines = self.workers.iter().flatten();
        self.router.known_segments(out) && engines.all(|worker| worker.engine.known_segments(out))
    }

    /// Busy time of all workers that ever were.
    pub(crate) fn coverage(&self) -> CoverageTally {
        let mut total = self.coverage;
        for worker in self.workers.iter().flatten() {
            total.merge(worker.engine.coverage());
        }
        total
    }
}
