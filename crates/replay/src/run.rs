//! The loop of a run.

use sim_api::{
    Arrival, Dispatch, EngineFactory, Limit, Observer, Pool, Quirk, RequestId, Router, RouterEvent,
    RunEnd, ScalingPolicy, Watch, WorkerId, Workload,
};
use sim_core::{EventQueue, SimDuration, SimTime};

use crate::fleet::{Ears, Fleet, FleetSpec};
use crate::fleets::Fleets;
use crate::in_flight::InFlight;
use crate::outcome::{Outcome, OutcomeKind, sort_by_instant};
use crate::scaling::Autoscaler;
use crate::spec::{PoolSpec, RunError, RunSpec};

/// Load samples that are an interval apart; later ones are this share of the time so far apart, so that a run of
/// years has thousands, not billions.
const EVEN_SAMPLES: u64 = 1024;

/// The parts of a run.
pub struct Parts<'a> {
    /// What arrives.
    pub workload: Box<dyn Workload>,
    /// Makes engines.
    pub engines: &'a dyn EngineFactory,
    /// In front of the prefill pool; needed if there is one.
    pub prefill_router: Option<Box<dyn Router>>,
    /// In front of the decode pool (of an aggregated deployment: of all workers).
    pub decode_router: Box<dyn Router>,
    /// The autoscaler, if any.
    pub policy: Option<Box<dyn ScalingPolicy>>,
    /// Who watches.
    pub observer: &'a mut dyn Observer,
}

/// Future events of one instant, in the order of their ranks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A worker has started.
    Ready { pool: Pool, worker: WorkerId },
    /// A KV transfer is done. The destination is known where it mattered.
    Handoff {
        request: RequestId,
        to: Option<WorkerId>,
    },
    /// A cache change reaches the router.
    Kv { outcome: Outcome },
    /// Observers are told loads.
    Sample,
}

impl Event {
    fn rank(self) -> u32 {
        match self {
            Self::Kv { .. } => 0,
            Self::Ready { .. } => 1,
            Self::Handoff { .. } => 2,
            Self::Sample => 3,
        }
    }
}

/// A run in progress.
pub struct Simulation<'a> {
    pub(crate) spec: RunSpec,
    pub(crate) workload: Box<dyn Workload>,
    pub(crate) engines: &'a dyn EngineFactory,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) fleets: Fleets,
    pub(crate) scaler: Option<Autoscaler>,
    pub(crate) events: EventQueue<Event>,
    pub(crate) in_flight: InFlight,
    /// Requests between the pools whose slot is free meanwhile.
    pub(crate) slots_lent: usize,
    pub(crate) outcomes: Vec<Outcome>,
    spare_outcomes: Vec<Outcome>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) dispatches: Vec<Dispatch>,
    /// Whether all parts can say which segments they know.
    pub(crate) forgets: bool,
    now: SimTime,
    /// Whether there was an instant yet.
    visited: bool,
    /// The last arrival, hand-off, worker start; pass ends are the fleets'.
    pub(crate) last_event: SimTime,
}

impl<'a> Simulation<'a> {
    /// Sets a run up.
    ///
    /// # Panics
    /// If the deployment has a prefill pool and `parts` no router for it.
    pub fn new(spec: RunSpec, parts: Parts<'a>) -> Self {
        let keep_rows = parts.policy.is_some();
        let observer_wants_passes = parts.observer.wants_passes();
        let fleet = |pool: Pool, of: PoolSpec, router: Box<dyn Router>| {
            let spec = FleetSpec {
                pool,
                startup: of.startup,
                keep_rows,
                observer_wants_passes,
            };
            Fleet::new(&spec, parts.engines, router)
        };
        let prefill = spec.deployment.prefill.map(|of| {
            let router = parts.prefill_router.expect("a prefill pool has a router");
            fleet(Pool::Prefill, of, router)
        });
        let decode = fleet(Pool::Decode, spec.deployment.decode, parts.decode_router);
        Self {
            spec,
            workload: parts.workload,
            engines: parts.engines,
            observer: parts.observer,
            fleets: Fleets { prefill, decode },
            scaler: parts.policy.map(Autoscaler::new),
            events: EventQueue::new(),
            in_flight: InFlight::default(),
            slots_lent: 0,
            outcomes: Vec::new(),
            spare_outcomes: Vec::new(),
            arrivals: Vec::new(),
            dispatches: Vec::new(),
            forgets: true,
            now: SimTime::ZERO,
            visited: false,
            last_event: SimTime::ZERO,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run(mut self) -> Result<RunEnd, RunError> {
        self.start()?;
        while self.step()? {}
        if self.scaler.is_none() {
            self.advance_all(Limit::Through(SimTime::MAX))?;
        }
        let end = RunEnd {
            at: self.last_activity(),
            unfinished: self.in_flight.len() as u64,
            coverage: self.fleets.coverage(),
        };
        self.observer.finished(&end);
        Ok(end)
    }

    fn start(&mut self) -> Result<(), RunError> {
        let deployment = self.spec.deployment;
        let pools = [
            (Pool::Prefill, deployment.prefill),
            (Pool::Decode, Some(deployment.decode)),
        ];
        for (pool, of) in pools {
            let Some(of) = of else { continue };
            let profile = *self.fleets.of(pool).profile();
            self.observer.pool(pool, &profile);
            for _ in 0..of.workers {
                self.add_worker(pool, SimTime::ZERO, true)?;
            }
        }
        if let Some(interval) = self.spec.load_sampling {
            self.push(SimTime::ZERO.saturating_add(interval), Event::Sample);
        }
        Ok(())
    }

    /// A new worker of `pool`.
    pub(crate) fn add_worker(
        &mut self,
        pool: Pool,
        now: SimTime,
        initial: bool,
    ) -> Result<(), RunError> {
        let fleet = self.fleets.of(pool);
        let (worker, ready_at) = fleet.add(now, initial, self.engines, self.observer);
        match ready_at {
            Some(at) => self.push(at, Event::Ready { pool, worker }),
            None => {
                let profile = *fleet.profile();
                self.tell_router(pool, now, RouterEvent::WorkerReady(worker, profile))?;
            }
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, at: SimTime, event: Event) {
        self.events.push(at, event.rank(), event);
    }

    /// The last thing that happened, as far as engines were advanced.
    pub(crate) fn last_activity(&self) -> SimTime {
        self.last_event.max(self.fleets.last_pass_end())
    }

    /// Handles the next instant; false if there is none.
    fn step(&mut self) -> Result<bool, RunError> {
        let arrival = if self.free_slots() > 0 {
            self.workload.next_arrival()?.map(|at| at.max(self.now))
        } else {
            None
        };
        let next = [arrival, self.events.next_time(), self.next_visible()?]
            .into_iter()
            .flatten()
            .min();
        let tick = self.scaler.as_ref().map(Autoscaler::next_tick);
        match (next, tick) {
            (Some(at), tick) if tick.is_none_or(|tick| at <= tick) => {
                self.instant(at)?;
                // Samples alone must not keep a finished run alive.
                Ok(!(self.only_samples_left() && self.is_done()?))
            }
            (_, Some(tick)) => self.tick(tick),
            (_, None) => Ok(false),
        }
    }

    fn only_samples_left(&self) -> bool {
        self.scaler.is_none() && self.spec.load_sampling.is_some() && self.events.len() == 1
    }

    /// Whether nothing is left to serve.
    pub(crate) fn is_done(&mut self) -> Result<bool, RunError> {
        Ok(self.in_flight.len() == 0 && self.workload.next_arrival()?.is_none())
    }

    pub(crate) fn free_slots(&self) -> usize {
        match self.spec.concurrency {
            None => usize::MAX,
            Some(cap) => (cap + self.slots_lent).saturating_sub(self.in_flight.len()),
        }
    }

    /// The earliest instant of an outcome that somebody waits for.
    fn next_visible(&mut self) -> Result<Option<SimTime>, RunError> {
        let mut earliest = None;
        if let Some(prefill) = &mut self.fleets.prefill {
            earliest = prefill.next_visible(Watch::FirstTokenOrEnd)?;
            // Decode passes of this instant start after prefill's are settled.
            if earliest == Some(self.now) {
                return Ok(earliest);
            }
        }
        let routed = self.fleets.decode.needs.progress && self.fleets.decode.router.queued() > 0;
        let watch = match (routed, self.waits_for_completions()) {
            (true, _) => Watch::FirstTokenOrEnd,
            (false, true) => Watch::Completion,
            (false, false) => return Ok(earliest),
        };
        let decode = self.fleets.decode.next_visible(watch)?;
        Ok(match (earliest, decode) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        })
    }

    fn waits_for_completions(&self) -> bool {
        self.spec.concurrency.is_some() || self.workload.reacts()
    }

    /// Everything of one instant but pass starts and ticks, in rank order.
    fn instant(&mut self, now: SimTime) -> Result<(), RunError> {
        // A second visit: all that arrives at this instant is there, so its passes may start.
        let again = self.visited && self.now == now;
        (self.visited, self.now) = (true, now);
        self.deliver(now, again)?;
        while let Some(event) = self.events.pop_due(now) {
            self.handle(now, event.payload)?;
        }
        self.admit_arrivals(now)
    }

    /// Brings outcomes up to `now` to whoever waits for them.
    fn deliver(&mut self, now: SimTime, again: bool) -> Result<(), RunError> {
        let waits = self.waits_for_completions();
        let limit = if again {
            Limit::Through(now)
        } else {
            Limit::Before(now)
        };
        let prefill_first = self
            .fleets
            .prefill
            .as_ref()
            .is_some_and(|prefill| prefill.is_due(now));
        let mut ears = Ears {
            observer: self.observer,
            outcomes: &mut self.outcomes,
        };
        if let Some(prefill) = &mut self.fleets.prefill {
            prefill.advance_due(limit, &mut ears)?;
        }
        let limit = if prefill_first {
            Limit::Before(now)
        } else {
            limit
        };
        if self.fleets.decode.needs.kv || self.fleets.decode.needs.progress {
            self.fleets.decode.advance_all(limit, &mut ears)?;
        } else if waits {
            self.fleets.decode.advance_due(limit, &mut ears)?;
        }
        self.settle(now)
    }

    /// Advances every engine and settles what it says.
    pub(crate) fn advance_all(&mut self, limit: Limit) -> Result<(), RunError> {
        let mut ears = Ears {
            observer: self.observer,
            outcomes: &mut self.outcomes,
        };
        self.fleets.advance_all(limit, &mut ears)?;
        self.settle(limit.instant())
    }

    /// Advances one engine to before `now` and settles what it says.
    pub(crate) fn advance_worker(
        &mut self,
        pool: Pool,
        now: SimTime,
        worker: WorkerId,
    ) -> Result<(), RunError> {
        let fleet = self.fleets.of(pool);
        let mut ears = Ears {
            observer: self.observer,
            outcomes: &mut self.outcomes,
        };
        fleet.advance(worker, Limit::Before(now), &mut ears)?;
        self.settle(now)
    }

    /// Acts on outcomes, in the one order of an instant. Acting may make
    /// engines run, hence report more.
    fn settle(&mut self, now: SimTime) -> Result<(), RunError> {
        let mut batch = std::mem::take(&mut self.spare_outcomes);
        while !self.outcomes.is_empty() {
            std::mem::swap(&mut batch, &mut self.outcomes);
            sort_by_instant(&mut batch);
            for outcome in batch.drain(..) {
                self.act(now, &outcome)?;
            }
        }
        self.spare_outcomes = batch;
        for pool in [Pool::Prefill, Pool::Decode] {
            self.bury(pool, now)?;
        }
        Ok(())
    }

    fn act(&mut self, now: SimTime, outcome: &Outcome) -> Result<(), RunError> {
        let (pool, at) = (outcome.worker.pool, outcome.stamp.at);
        match outcome.kind {
            OutcomeKind::FirstToken { request, last } => {
                if pool == Pool::Decode
                    && let Some(record) = self.in_flight.get_mut(request)
                {
                    record.first_token = Some(at);
                }
                if last {
                    return Ok(());
                }
                self.tell_router(pool, at, RouterEvent::PrefillDone(request))
            }
            OutcomeKind::Completed { request } => self.completed(outcome, request),
            OutcomeKind::Kv { .. } if !self.spec.kv_event_lag.is_zero() => {
                let known = at.saturating_add(self.spec.kv_event_lag);
                self.push(known.max(now), Event::Kv { outcome: *outcome });
                Ok(())
            }
            OutcomeKind::Kv { change } => {
                self.tell_router(pool, at, RouterEvent::Kv(outcome.worker.id, change))
            }
        }
    }

    fn bury(&mut self, pool: Pool, now: SimTime) -> Result<(), RunError> {
        if pool == Pool::Prefill && self.fleets.prefill.is_none() {
            return Ok(());
        }
        for worker in self.fleets.of(pool).take_gone() {
            self.tell_router(pool, now, RouterEvent::WorkerGone(worker))?;
        }
        Ok(())
    }

    fn handle(&mut self, now: SimTime, event: Event) -> Result<(), RunError> {
        match event {
            Event::Ready { pool, worker } => {
                let fleet = self.fleets.of(pool);
                let profile = *fleet.profile();
                if fleet.ready(now, worker, self.observer) {
                    self.last_event = self.last_event.max(now);
                    self.tell_router(pool, now, RouterEvent::WorkerReady(worker, profile))?;
                }
            }
            Event::Handoff { request, to } => {
                self.last_event = self.last_event.max(now);
                if self.spec.quirks.has(Quirk::TransferFreesSlot) {
                    self.slots_lent -= 1;
                }
                match to {
                    Some(worker) => self.send(Pool::Decode, now, request, worker)?,
                    None => self.route(Pool::Decode, now, request)?,
                }
            }
            Event::Kv { outcome } => {
                if let OutcomeKind::Kv { change } = outcome.kind {
                    let event = RouterEvent::Kv(outcome.worker.id, change);
                    self.tell_router(outcome.worker.pool, now, event)?;
                }
            }
            Event::Sample => self.sample(now)?,
        }
        Ok(())
    }

    fn sample(&mut self, now: SimTime) -> Result<(), RunError> {
        self.advance_all(Limit::Before(now))?;
        self.fleets.sample_loads(now, self.observer);
        if let Some(interval) = self.spec.load_sampling {
            let wait = interval.max(SimDuration::from_ns(now.as_ns() / EVEN_SAMPLES));
            self.push(now.saturating_add(wait), Event::Sample);
        }
        Ok(())
    }
}
