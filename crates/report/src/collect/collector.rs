//! The observer behind every report.

use sim_api::{
    Admitted, Arrival, Dispatch, Observer, Pool, Preempted, Quirk, Quirks, Rejection, RequestId,
    RunEnd, ScalingEvent, Stamp, TickRecord, TokenGaps, WorkerChange, WorkerProfile, WorkerRef,
};
use sim_core::SimTime;

use super::gaps::{GapCounter, LENGTH_LIMIT};
use super::samples::{EXACT_LIMIT, Samples};
use super::{FleetTime, Window};
use crate::planner::{PlannerHistory, ReplicaHistory};
use crate::router::RouterStats;
use crate::sla::Latency;
use crate::summary::KEPT_REJECTIONS;
use crate::{SlaReport, SlaTargets, Summary};

/// How a run is counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct CollectorOptions {
    /// The quirks of the run: [`Quirk::ReuseIsMaximum`] and
    /// [`Quirk::GpuHoursAtTicks`] matter.
    pub quirks: Quirks,
    /// Targets whose attainment is measured.
    pub sla: SlaTargets,
}

/// A request between arrival and completion.
#[derive(Clone, Copy, Debug)]
struct Flight {
    arrived: SimTime,
    first_token: SimTime,
    second_token: SimTime,
    input_tokens: u32,
    output_tokens: u32,
    prefill: Reuse,
    decode: Reuse,
    /// Where a router sent it, while it is there.
    on: Option<WorkerRef>,
}

/// Prompt tokens found in the cache of one pool.
#[derive(Clone, Copy, Debug, Default)]
struct Reuse {
    admitted: bool,
    first: u32,
    most: u32,
}

impl Reuse {
    fn add(&mut self, cached: u32) {
        if !self.admitted {
            self.admitted = true;
            self.first = cached;
        }
        self.most = self.most.max(cached);
    }
}

/// Collects the metrics of a run as it goes.
///
/// Memory is a few words a request and metric (8 bytes a sample up to four
/// million samples a metric, then a histogram), about 70 bytes a request in
/// flight, one counter per different gap between tokens, and up to 8 kB a
/// worker.
#[derive(Clone, Debug)]
pub struct Collector {
    options: CollectorOptions,
    flights: Window<Flight>,
    totals: Summary,
    last_token: SimTime,
    ttft: Samples<u64>,
    ttst: Samples<u64>,
    tpot: Samples<f64>,
    e2e: Samples<u64>,
    gaps: GapCounter,
    sla: SlaReport,
    fleet: FleetTime,
    replicas: ReplicaHistory,
    routers: RouterStats,
    planner: PlannerHistory,
    end: SimTime,
}

impl Collector {
    /// A collector of a run that has not begun.
    pub fn new(options: CollectorOptions) -> Self {
        Self {
            options,
            flights: Window::default(),
            totals: Summary::default(),
            last_token: SimTime::ZERO,
            ttft: Samples::new(EXACT_LIMIT),
            ttst: Samples::new(EXACT_LIMIT),
            tpot: Samples::new(EXACT_LIMIT),
            e2e: Samples::new(EXACT_LIMIT),
            gaps: GapCounter::new(LENGTH_LIMIT),
            sla: SlaReport {
                targets: options.sla,
                ..SlaReport::default()
            },
            fleet: FleetTime::default(),
            replicas: ReplicaHistory::default(),
            routers: RouterStats::default(),
            planner: PlannerHistory::default(),
            end: SimTime::ZERO,
        }
    }

    /// The metrics, once the run has [finished](Observer::finished).
    pub fn summary(self) -> Summary {
        let approximate = self.ttft.is_approximate() || self.gaps.is_approximate();
        let (itl, per_user) = self.gaps.distributions();
        let prefill = self.fleet.usage(Pool::Prefill, self.end);
        let decode = self.fleet.usage(Pool::Decode, self.end).unwrap_or_default();
        let charged = if self.options.quirks.has(Quirk::GpuHoursAtTicks) {
            self.planner.charged_at_ticks()
        } else {
            None
        };
        let held = decode.gpu_hours() + prefill.map_or(0.0, |pool| pool.gpu_hours());
        let gpu_hours = charged.unwrap_or(held);
        let sla = SlaReport {
            arrived: self.totals.requests,
            ..self.sla
        };
        Summary {
            duration: self.last_token.saturating_since(SimTime::ZERO),
            ttft: self.ttft.distribution(),
            ttst: self.ttst.distribution(),
            tpot: self.tpot.distribution(),
            itl,
            e2e_latency: self.e2e.distribution(),
            output_token_throughput_per_user: per_user,
            approximate,
            prefill,
            decode,
            gpu_hours,
            sla: (!self.options.sla.is_empty()).then_some(sla),
            planner: self.planner.summary(gpu_hours, charged.is_some()),
            replicas: self.replicas.points(),
            router: self.routers.summary(),
            end: self.end,
            ..self.totals
        }
    }

    fn complete(&mut self, flight: &Flight, at: SimTime) {
        let latency = Latency {
            ttft: flight.first_token.saturating_since(flight.arrived),
            e2e: at.saturating_since(flight.arrived),
            output_tokens: flight.output_tokens,
        };
        self.ttft.add(latency.ttft.as_ns());
        self.e2e.add(latency.e2e.as_ns());
        if let Some(tpot) = latency.tpot_ns() {
            let ttst = flight.second_token.saturating_since(flight.first_token);
            self.ttst.add(ttst.as_ns());
            self.tpot.add(tpot);
        }
        self.sla.add(latency);
        self.last_token = self.last_token.max(at);
        let first = flight.prefill.first.max(flight.decode.first);
        let reused = if self.options.quirks.has(Quirk::ReuseIsMaximum) {
            flight.prefill.most.max(flight.decode.most)
        } else {
            first
        };
        let totals = &mut self.totals;
        totals.completed += 1;
        totals.input_tokens += u64::from(flight.input_tokens);
        totals.output_tokens += u64::from(flight.output_tokens);
        totals.reused_tokens += u64::from(reused);
        totals.first_admission_reused_tokens += u64::from(first);
    }
}

impl Observer for Collector {
    fn pool(&mut self, pool: Pool, profile: &WorkerProfile) {
        self.fleet.pool(pool, profile);
        self.routers.pool(pool);
    }

    fn arrived(&mut self, arrival: &Arrival) {
        self.totals.requests += 1;
        let flight = Flight {
            arrived: arrival.at,
            first_token: arrival.at,
            second_token: arrival.at,
            input_tokens: arrival.prompt.tokens(),
            output_tokens: arrival.output_tokens,
            prefill: Reuse::default(),
            decode: Reuse::default(),
            on: None,
        };
        self.flights.insert(arrival.id, flight);
    }

    fn rejected(&mut self, at: SimTime, request: RequestId, why: Rejection) {
        let flight = self.flights.remove(request);
        if let Some(worker) = flight.and_then(|flight| flight.on) {
            self.routers.left(at, worker);
        }
        self.totals.rejected += 1;
        if self.totals.first_rejections.len() < KEPT_REJECTIONS {
            self.totals.first_rejections.push((request, why));
        }
    }

    fn dispatched(&mut self, at: SimTime, pool: Pool, dispatch: &Dispatch) {
        if let Some(flight) = self.flights.get_mut(dispatch.request) {
            let id = dispatch.worker;
            flight.on = Some(WorkerRef { pool, id });
            self.routers.dispatched(at, pool, dispatch, flight.arrived);
        }
    }

    fn prefilled(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(flight) = self.flights.get_mut(request)
            && flight.on.take().is_some()
        {
            self.routers.left(stamp.at, worker);
        }
    }

    fn admitted(&mut self, worker: WorkerRef, admitted: Admitted) {
        if let Some(flight) = self.flights.get_mut(admitted.request) {
            let reuse = match worker.pool {
                Pool::Prefill => &mut flight.prefill,
                Pool::Decode => &mut flight.decode,
            };
            reuse.add(admitted.cached_tokens);
        }
    }

    fn preempted(&mut self, _worker: WorkerRef, _preempted: Preempted) {
        self.totals.preemptions += 1;
    }

    fn first_token(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(flight) = self.flights.get_mut(request) {
            flight.first_token = stamp.at;
        }
    }

    fn second_token(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(flight) = self.flights.get_mut(request) {
            flight.second_token = stamp.at;
        }
    }

    fn completed(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        if let Some(flight) = self.flights.remove(request) {
            if flight.on.is_some() {
                self.routers.left(stamp.at, worker);
            }
            self.complete(&flight, stamp.at);
        }
    }

    fn gaps(&mut self, _worker: WorkerRef, gaps: &TokenGaps<'_>) {
        self.gaps.add(gaps);
    }

    fn worker(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        self.fleet.change(at, worker, change);
        self.replicas.add(at, worker, change);
        self.routers.worker(at, worker, change);
    }

    fn tick(&mut self, record: &TickRecord) {
        self.planner.tick(record);
    }

    fn scaled(&mut self, event: &ScalingEvent) {
        self.planner.scaled(event);
    }

    fn finished(&mut self, end: &RunEnd) {
        self.end = end.at;
        for worker in self.flights.iter().filter_map(|flight| flight.on) {
            self.routers.left(end.at, worker);
        }
        self.totals.unfinished = end.unfinished;
        self.totals.coverage = end.coverage;
    }
}
