//! Toy parts: just enough behaviour to see the seams carry it.

use std::collections::VecDeque;

use replay::{Deployment, KvTransfer, Parts, PoolSpec, RunSpec, Simulation};
use sim_api::{
    Admission, Arrival, CoverageTally, Decision, Dispatch, Engine, EngineError, EngineFactory,
    EngineRequest, EngineSink, Feeds, KvChange, KvRun, Limit, Observation, Observer, Origin,
    PassDurations, PassRecord, PassRun, Pool, Progress, Prompt, Quirks, Rejection, RequestId, Role,
    Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest, RunEnd, ScalingError,
    ScalingEvent, ScalingPolicy, SegmentId, SessionId, Stamp, Targets, TickNeeds, TickRecord,
    Watch, WorkerChange, WorkerId, WorkerLoad, WorkerProfile, WorkerRef, Workload, WorkloadError,
};
use sim_core::{SimDuration, SimTime};

/// An engine whose passes last 10 ns and give every request one token.
#[derive(Default)]
pub(crate) struct ToyEngine {
    feeds: Feeds,
    waiting: Vec<EngineRequest>,
    running: Vec<(EngineRequest, u32)>,
    free_at: SimTime,
    pass: Option<SimTime>,
    last_pass_end: Option<SimTime>,
}

const PASS: SimDuration = SimDuration::from_ns(10);

impl ToyEngine {
    fn start_pass(&mut self, at: SimTime, sink: &mut dyn EngineSink) {
        for request in self.waiting.drain(..) {
            sink.admitted(sim_api::Admitted {
                request: request.id,
                at,
                cached_tokens: 0,
                again: false,
            });
            self.running.push((request, 0));
        }
        if self.feeds.passes {
            let mut first = PassRecord::default();
            for (request, done) in &self.running {
                first
                    .decode_contexts
                    .add(u64::from(request.prompt.tokens() + done));
            }
            sink.passes(PassRun {
                start: at,
                first,
                durations: PassDurations::Constant {
                    each: PASS,
                    passes: 1,
                },
            });
        }
        self.pass = Some(at);
    }

    fn end_pass(&mut self, start: SimTime, sink: &mut dyn EngineSink) {
        let stamp = Stamp {
            at: start + PASS,
            pass_start: start,
        };
        for (request, done) in &mut self.running {
            *done += 1;
            if *done == 1 {
                sink.first_token(stamp, request.id);
                if self.feeds.kv {
                    let run = request.prompt.runs()[0];
                    sink.kv(stamp, KvChange::Stored { run });
                }
            }
            if *done == request.output_tokens {
                sink.completed(stamp, request.id);
            }
        }
        self.running
            .retain(|(request, done)| *done < request.output_tokens);
        self.pass = None;
        self.free_at = stamp.at;
        self.last_pass_end = Some(stamp.at);
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.running.is_empty()
    }
}

impl Engine for ToyEngine {
    fn accept(&mut self, now: SimTime, request: EngineRequest) -> Admission {
        self.free_at = self.free_at.max(now);
        self.waiting.push(request);
        Admission::Queued
    }

    fn next_visible(&mut self, _watch: Watch) -> Result<Option<SimTime>, EngineError> {
        Ok(match self.pass {
            Some(start) => Some(start + PASS),
            None => self.has_work().then(|| self.free_at + PASS),
        })
    }

    fn advance(
        &mut self,
        limit: Limit,
        sink: &mut dyn EngineSink,
    ) -> Result<Progress, EngineError> {
        loop {
            match self.pass {
                Some(start) if start + PASS <= limit.instant() => self.end_pass(start, sink),
                Some(_) => break,
                None if self.has_work() && limit.admits(self.free_at) => {
                    self.start_pass(self.free_at, sink);
                }
                None => break,
            }
        }
        Ok(Progress {
            last_pass_end: self.last_pass_end,
            idle: !self.has_work() && self.pass.is_none(),
        })
    }

    fn load(&self) -> WorkerLoad {
        WorkerLoad::default()
    }

    fn resident_tokens(&self, _prompt: &Prompt) -> u32 {
        0
    }

    fn coverage(&self) -> CoverageTally {
        CoverageTally::default()
    }
}

pub(crate) struct ToyEngines;

impl EngineFactory for ToyEngines {
    fn spawn(&self, _pool: Pool, _id: WorkerId, feeds: Feeds) -> Box<dyn Engine> {
        Box::new(ToyEngine {
            feeds,
            ..ToyEngine::default()
        })
    }

    fn profile(&self, _pool: Pool) -> WorkerProfile {
        WorkerProfile {
            block_tokens: 1,
            blocks: 100,
            max_batched_tokens: None,
            max_sequences: None,
            role: Role::Aggregated,
            gpus: 1,
            draft_tokens: 0,
        }
    }

    fn check(&self, _pool: Pool, _input: u32, output: u32) -> Result<(), Rejection> {
        if output == 0 {
            return Err(Rejection::NoOutput);
        }
        Ok(())
    }
}

/// Requests at given nanoseconds with given output lengths.
pub(crate) struct ToyLoad {
    rows: VecDeque<(u64, u32)>,
    released: u32,
    closed_loop: bool,
}

impl ToyLoad {
    pub(crate) fn new(rows: &[(u64, u32)]) -> Self {
        Self {
            rows: rows.iter().copied().collect(),
            released: 0,
            closed_loop: false,
        }
    }

    pub(crate) fn closed_loop(rows: &[(u64, u32)]) -> Self {
        Self {
            closed_loop: true,
            ..Self::new(rows)
        }
    }
}

impl Workload for ToyLoad {
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        Ok(self.rows.front().map(|&(ns, _)| SimTime::from_ns(ns)))
    }

    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError> {
        while out.len() < slots
            && let Some(&(ns, output_tokens)) = self.rows.front()
            && ns <= now.as_ns()
        {
            self.rows.pop_front();
            let id = self.released;
            self.released += 1;
            let run = KvRun {
                segment: SegmentId(id % 2),
                blocks: 4,
            };
            out.push(Arrival {
                id: RequestId(id),
                at: if self.closed_loop {
                    now
                } else {
                    SimTime::from_ns(ns)
                },
                prompt: Prompt::new(4, [run].into()),
                output_tokens,
                origin: Origin {
                    session: SessionId(id),
                    turn: 0,
                },
                priority: 0,
            });
        }
        Ok(())
    }

    fn on_complete(&mut self, _now: SimTime, _request: RequestId) {}

    fn reacts(&self) -> bool {
        self.closed_loop
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }
}

/// Round robin, or (with `one_at_a_time`) one request a worker while others
/// queue, with a memory of which worker holds which segment.
#[derive(Default)]
pub(crate) struct ToyRouter {
    one_at_a_time: bool,
    workers: Vec<(WorkerId, bool)>,
    queue: VecDeque<RequestId>,
    next: usize,
    busy_with: Vec<(RequestId, WorkerId)>,
    pub(crate) stored: usize,
}

impl ToyRouter {
    pub(crate) fn one_at_a_time() -> Self {
        Self {
            one_at_a_time: true,
            ..Self::default()
        }
    }

    fn drain(&mut self, out: &mut Vec<Dispatch>) {
        while let Some(&request) = self.queue.front() {
            let Some(free) = self.workers.iter_mut().find(|(_, busy)| !*busy) else {
                return;
            };
            free.1 = true;
            self.queue.pop_front();
            self.busy_with.push((request, free.0));
            out.push(Dispatch {
                request,
                worker: free.0,
                overlap: None,
            });
        }
    }
}

impl Router for ToyRouter {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        if self.one_at_a_time {
            self.queue.push_back(request.id);
            self.drain(out);
            return Ok(());
        }
        let (worker, _) = self.workers[self.next % self.workers.len()];
        self.next += 1;
        out.push(Dispatch {
            request: request.id,
            worker,
            overlap: None,
        });
        Ok(())
    }

    fn on(
        &mut self,
        _now: SimTime,
        event: RouterEvent,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        match event {
            RouterEvent::WorkerReady(id, _) => self.workers.push((id, false)),
            RouterEvent::WorkerDraining(id) => self.workers.retain(|&(worker, _)| worker != id),
            RouterEvent::Completed(done) => {
                if let Some(index) = self.busy_with.iter().position(|&(id, _)| id == done) {
                    let (_, worker) = self.busy_with.remove(index);
                    for entry in &mut self.workers {
                        entry.1 &= entry.0 != worker;
                    }
                }
            }
            RouterEvent::Kv(..) => self.stored += 1,
            _ => {}
        }
        self.drain(out);
        Ok(())
    }

    fn queued(&self) -> usize {
        self.queue.len()
    }

    fn needs(&self) -> RouterNeeds {
        RouterNeeds {
            kv: self.one_at_a_time,
            progress: self.one_at_a_time,
        }
    }
}

/// Scales the decode pool to given sizes at given nanoseconds.
pub(crate) struct ToyPolicy {
    pub(crate) steps: VecDeque<(u64, u32)>,
    pub(crate) seen: std::sync::Arc<std::sync::Mutex<Vec<Observation>>>,
}

impl ScalingPolicy for ToyPolicy {
    fn next_tick(&self) -> SimTime {
        self.steps
            .front()
            .map_or(SimTime::MAX, |&(ns, _)| SimTime::from_ns(ns))
    }

    fn needs(&self) -> TickNeeds {
        TickNeeds { traffic: true }
    }

    fn on_tick(&mut self, observation: &Observation) -> Result<Decision, ScalingError> {
        self.seen.lock().unwrap().push(observation.clone());
        let (_, target) = self.steps.pop_front().unwrap();
        let targets = Targets {
            prefill: None,
            decode: Some(target),
        };
        Ok(Decision {
            targets: Some(targets),
            events: vec![ScalingEvent {
                at: observation.now,
                component: "agg",
                from: 0,
                to: target,
                reason: String::new(),
            }],
            record: TickRecord {
                tick: 0,
                due: observation.now,
                at: observation.now,
                prefill_ready: None,
                decode_ready: 0,
                values: std::collections::BTreeMap::new(),
                reasons: std::collections::BTreeMap::new(),
                engines: Vec::new(),
                targets: Some(targets),
            },
        })
    }
}

/// Writes down what happened as lines.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: Vec<String>,
}

impl Log {
    /// Lines that begin with one of the words, sorted.
    pub(crate) fn of(&self, words: &[&str]) -> Vec<&str> {
        let wanted = |line: &&str| words.iter().any(|word| line.starts_with(word));
        self.lines
            .iter()
            .map(String::as_str)
            .filter(wanted)
            .collect()
    }
}

impl Observer for Log {
    fn load(&mut self, at: SimTime, worker: WorkerRef, _load: &WorkerLoad) {
        self.lines
            .push(format!("load {} @{}", worker.id.0, at.as_ns()));
    }

    fn arrived(&mut self, arrival: &Arrival) {
        self.lines
            .push(format!("arrived {} @{}", arrival.id.0, arrival.at.as_ns()));
    }

    fn rejected(&mut self, at: SimTime, request: RequestId, why: Rejection) {
        self.lines
            .push(format!("rejected {} @{}: {why}", request.0, at.as_ns()));
    }

    fn dispatched(&mut self, at: SimTime, pool: Pool, dispatch: &Dispatch) {
        let (request, worker) = (dispatch.request.0, dispatch.worker.0);
        self.lines
            .push(format!("sent {request} to {pool} {worker} @{}", at.as_ns()));
    }

    fn prefilled(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.lines
            .push(format!("prefilled {} @{}", request.0, stamp.at.as_ns()));
    }

    fn completed(&mut self, worker: WorkerRef, stamp: Stamp, request: RequestId) {
        let at = stamp.at.as_ns();
        self.lines
            .push(format!("done {} by {} @{at}", request.0, worker.id.0));
    }

    fn worker(&mut self, at: SimTime, worker: WorkerRef, change: WorkerChange) {
        self.lines
            .push(format!("worker {} {change:?} @{}", worker.id.0, at.as_ns()));
    }
}

/// A deployment of toys.
pub(crate) struct Toys {
    pub(crate) prefill: Option<u32>,
    pub(crate) decode: u32,
    pub(crate) concurrency: Option<usize>,
    pub(crate) quirks: Quirks,
    pub(crate) transfer: KvTransfer,
    pub(crate) load_sampling: Option<SimDuration>,
}

impl Toys {
    pub(crate) fn aggregated(workers: u32) -> Self {
        Self {
            prefill: None,
            decode: workers,
            concurrency: None,
            quirks: Quirks::NONE,
            transfer: KvTransfer::free(),
            load_sampling: None,
        }
    }

    pub(crate) fn run(
        &self,
        load: ToyLoad,
        router: ToyRouter,
        policy: Option<Box<dyn ScalingPolicy>>,
    ) -> (Log, RunEnd) {
        let pool = |workers| PoolSpec {
            workers,
            startup: SimDuration::from_ns(25),
        };
        let spec = RunSpec {
            deployment: Deployment {
                prefill: self.prefill.map(pool),
                decode: pool(self.decode),
                transfer: self.transfer,
            },
            concurrency: self.concurrency,
            quirks: self.quirks,
            kv_event_lag: SimDuration::ZERO,
            load_sampling: self.load_sampling,
        };
        let mut log = Log::default();
        let parts = Parts {
            workload: Box::new(load),
            engines: &ToyEngines,
            prefill_router: self
                .prefill
                .map(|_| Box::new(ToyRouter::default()) as Box<dyn Router>),
            decode_router: Box::new(router),
            policy,
            observer: &mut log,
        };
        let end = Simulation::new(spec, parts).run().unwrap();
        (log, end)
    }
}
