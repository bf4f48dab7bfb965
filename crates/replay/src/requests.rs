//! A request's way: arrival, router, engine, hand-off, completion.

use sim_api::{
    Admission, Arrival, Dispatch, EngineRequest, Limit, Pool, Quirk, RequestId, RouterEvent,
    RoutingRequest, WorkerId,
};
use sim_core::SimTime;

use crate::fleet::Ears;
use crate::in_flight::Record;
use crate::outcome::Outcome;
use crate::run::{Event, Simulation};
use crate::spec::{RunError, TransferTiming};

impl Simulation<'_> {
    pub(crate) fn admit_arrivals(&mut self, now: SimTime) -> Result<(), RunError> {
        loop {
            let slots = self.free_slots();
            if slots == 0 {
                return Ok(());
            }
            let mut arrivals = std::mem::take(&mut self.arrivals);
            self.workload.release(now, slots, &mut arrivals)?;
            let released = !arrivals.is_empty();
            for arrival in arrivals.drain(..) {
                self.last_event = self.last_event.max(now);
                self.arrive(now, arrival)?;
            }
            self.arrivals = arrivals;
            if !released {
                return Ok(());
            }
            if self.forgets && self.workload.wants_to_forget() {
                self.forget();
            }
        }
    }

    fn arrive(&mut self, now: SimTime, arrival: Arrival) -> Result<(), RunError> {
        self.observer.arrived(&arrival);
        let (tokens, output) = (arrival.prompt.tokens(), arrival.output_tokens);
        let entry = if self.fleets.prefill.is_some() {
            Pool::Prefill
        } else {
            Pool::Decode
        };
        let possible = match entry {
            Pool::Prefill => self
                .engines
                .check(Pool::Decode, tokens, output)
                .and_then(|()| self.engines.check(Pool::Prefill, tokens, 1)),
            Pool::Decode => self.engines.check(Pool::Decode, tokens, output),
        };
        if let Err(why) = possible {
            self.observer.rejected(now, arrival.id, why);
            self.workload.on_complete(now, arrival.id);
            return Ok(());
        }
        let id = arrival.id;
        let record = Record {
            arrived: arrival.at,
            first_token: None,
            prompt: arrival.prompt,
            output_tokens: output,
            session: arrival.origin.session,
            priority: arrival.priority,
        };
        self.in_flight.insert(id, record);
        self.route(entry, now, id)
    }

    /// Offers a request to the router of `pool` and carries out what it says.
    pub(crate) fn route(
        &mut self,
        pool: Pool,
        now: SimTime,
        request: RequestId,
    ) -> Result<(), RunError> {
        let mut dispatches = std::mem::take(&mut self.dispatches);
        self.offer(pool, now, request, &mut dispatches)?;
        self.carry_out(pool, now, dispatches)
    }

    fn offer(
        &mut self,
        pool: Pool,
        now: SimTime,
        id: RequestId,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RunError> {
        let Some(record) = self.in_flight.get_mut(id) else {
            return Ok(());
        };
        let request = RoutingRequest {
            id,
            session: record.session,
            prompt: record.prompt.clone(),
            priority: record.priority,
        };
        self.fleets.of(pool).router.arrive(now, &request, out)?;
        Ok(())
    }

    /// Tells the router of `pool` something and carries out what it says.
    pub(crate) fn tell_router(
        &mut self,
        pool: Pool,
        now: SimTime,
        event: RouterEvent,
    ) -> Result<(), RunError> {
        let needs = self.fleets.of(pool).needs;
        let wanted = match event {
            RouterEvent::PrefillDone(_) | RouterEvent::Completed(_) => needs.progress,
            RouterEvent::Kv(..) => needs.kv,
            _ => true,
        };
        if !wanted {
            return Ok(());
        }
        let mut dispatches = std::mem::take(&mut self.dispatches);
        self.fleets
            .of(pool)
            .router
            .on(now, event, &mut dispatches)?;
        self.carry_out(pool, now, dispatches)
    }

    fn carry_out(
        &mut self,
        pool: Pool,
        now: SimTime,
        mut dispatches: Vec<Dispatch>,
    ) -> Result<(), RunError> {
        for dispatch in dispatches.drain(..) {
            self.observer.dispatched(now, pool, &dispatch);
            let scores = pool == Pool::Prefill || self.fleets.prefill.is_none();
            if let (Some(overlap), Some(scaler), true) =
                (dispatch.overlap, &mut self.scaler, scores)
            {
                scaler.traffic.routed(overlap.blocks, overlap.isl_blocks);
            }
            self.send(pool, now, dispatch.request, dispatch.worker)?;
        }
        self.dispatches = dispatches;
        Ok(())
    }

    /// Hands a request to a worker's engine.
    pub(crate) fn send(
        &mut self,
        pool: Pool,
        now: SimTime,
        id: RequestId,
        worker: WorkerId,
    ) -> Result<(), RunError> {
        let Some(record) = self.in_flight.get_mut(id) else {
            return Ok(());
        };
        let output_tokens = match pool {
            Pool::Prefill => 1,
            Pool::Decode => record.output_tokens,
        };
        let request = EngineRequest {
            id,
            prompt: record.prompt.clone(),
            output_tokens,
        };
        let fleet = self.fleets.of(pool);
        let mut ears = Ears {
            observer: self.observer,
            outcomes: &mut self.outcomes,
        };
        fleet.advance(worker, Limit::Before(now), &mut ears)?;
        let admission = fleet
            .engine(worker)
            .map(|engine| engine.accept(now, request));
        match admission {
            Some(Admission::Queued) => Ok(()),
            Some(Admission::Rejected(why)) => {
                self.in_flight.remove(id);
                self.observer.rejected(now, id, why);
                self.workload.on_complete(now, id);
                self.tell_router(pool, now, RouterEvent::Completed(id))
            }
            None => Err(sim_api::RouterError::Inconsistent(format!(
                "request {} was sent to {pool} worker {}, which is gone",
                id.0, worker.0
            ))
            .into()),
        }
    }

    pub(crate) fn completed(
        &mut self,
        outcome: &Outcome,
        request: RequestId,
    ) -> Result<(), RunError> {
        let (pool, at) = (outcome.worker.pool, outcome.stamp.at);
        if pool == Pool::Prefill {
            self.tell_router(pool, at, RouterEvent::Completed(request))?;
            return self.hand_off(at, request);
        }
        if let Some(record) = self.in_flight.remove(request)
            && let Some(scaler) = &mut self.scaler
        {
            scaler.traffic.completed(at, &record);
        }
        self.workload.on_complete(at, request);
        self.tell_router(pool, at, RouterEvent::Completed(request))
    }

    /// A prompt is computed; its KV goes to the decode pool.
    fn hand_off(&mut self, now: SimTime, request: RequestId) -> Result<(), RunError> {
        let transfer = self.spec.deployment.transfer;
        if transfer.is_free() {
            return self.route(Pool::Decode, now, request);
        }
        let Some(record) = self.in_flight.get_mut(request) else {
            return Ok(());
        };
        let prompt = record.prompt.clone();
        let mut tokens = prompt.tokens();
        let mut to = None;
        if transfer.timing() == TransferTiming::DestinationMissing {
            let dispatch = self.choose_destination(now, request)?;
            if let Some(worker) = dispatch {
                let resident = self
                    .fleets
                    .decode
                    .engine(worker)
                    .map_or(0, |engine| engine.resident_tokens(&prompt));
                tokens -= resident.min(tokens);
                to = Some(worker);
            }
        }
        let delay = transfer.delay(tokens)?;
        if self.spec.quirks.has(Quirk::TransferFreesSlot) {
            self.slots_lent += 1;
        }
        self.push(now.saturating_add(delay), Event::Handoff { request, to });
        Ok(())
    }

    /// Lets the decode router choose before the transfer starts.
    fn choose_destination(
        &mut self,
        now: SimTime,
        request: RequestId,
    ) -> Result<Option<WorkerId>, RunError> {
        let mut chosen = std::mem::take(&mut self.dispatches);
        self.offer(Pool::Decode, now, request, &mut chosen)?;
        let own = chosen
            .iter()
            .position(|dispatch| dispatch.request == request);
        let own = own.map(|index| chosen.remove(index));
        if let Some(dispatch) = &own {
            self.observer.dispatched(now, Pool::Decode, dispatch);
        }
        self.carry_out(Pool::Decode, now, chosen)?;
        Ok(own.map(|dispatch| dispatch.worker))
    }
}
