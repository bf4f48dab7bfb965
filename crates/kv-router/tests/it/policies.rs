//! What holds for every policy, whatever happens to its pool.

use std::collections::BTreeSet;

use kv_router::{RouterMode, RouterSettings, Side};
use proptest::prelude::*;
use sim_api::{
    Dispatch, KvChange, KvRun, Prompt, RequestId, Role, Router, RouterError, RouterEvent,
    RoutingRequest, SegmentId, SessionId, WorkerId, WorkerProfile,
};
use sim_core::{SimDuration, SimTime};

const SIDES: [Side; 3] = [Side::Aggregated, Side::Prefill, Side::Decode];
const BLOCK: u32 = 16;
const PROFILE: WorkerProfile = WorkerProfile {
    block_tokens: BLOCK,
    blocks: 100,
    max_batched_tokens: Some(64),
    max_sequences: None,
    role: Role::Aggregated,
    gpus: 1,
    draft_tokens: 0,
};

/// What happens, with numbers that pick from whatever there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Join,
    Drain(usize),
    Bury(usize),
    Arrive {
        session: u32,
        segment: u32,
        blocks: u32,
    },
    Complete(usize),
    Store {
        worker: usize,
        segment: u32,
        blocks: u32,
    },
    Evict {
        worker: usize,
        segment: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let pick = || 0..100_usize;
    prop_oneof![
        2 => Just(Step::Join),
        1 => pick().prop_map(Step::Drain),
        1 => pick().prop_map(Step::Bury),
        8 => (0..6_u32, 0..4_u32, 1..9_u32)
            .prop_map(|(session, segment, blocks)| Step::Arrive { session, segment, blocks }),
        5 => pick().prop_map(Step::Complete),
        4 => (pick(), 0..4_u32, 1..9_u32)
            .prop_map(|(worker, segment, blocks)| Step::Store { worker, segment, blocks }),
        1 => (pick(), 0..4_u32).prop_map(|(worker, segment)| Step::Evict { worker, segment }),
    ]
}

fn run(segment: u32, blocks: u32) -> KvRun {
    KvRun {
        segment: SegmentId(segment),
        blocks,
    }
}

/// A pool as the loop of a run knows it.
struct Pool {
    router: Box<dyn Router>,
    now: SimTime,
    joined: u32,
    arrived: u32,
    ready: Vec<WorkerId>,
    draining: Vec<WorkerId>,
    waiting: BTreeSet<RequestId>,
    running: Vec<Dispatch>,
    /// All dispatches, in order.
    log: Vec<Dispatch>,
}

impl Pool {
    fn new(mode: RouterMode, side: Side, seed: u64) -> Self {
        let settings = RouterSettings {
            seed,
            ..RouterSettings::default()
        };
        Self {
            router: mode.build(side, settings),
            now: SimTime::ZERO,
            joined: 0,
            arrived: 0,
            ready: Vec::new(),
            draining: Vec::new(),
            waiting: BTreeSet::new(),
            running: Vec::new(),
            log: Vec::new(),
        }
    }

    fn take(&mut self, out: Vec<Dispatch>) {
        for dispatch in out {
            assert!(self.ready.contains(&dispatch.worker), "{dispatch:?}");
            assert!(self.waiting.remove(&dispatch.request), "{dispatch:?}");
            if let Some(overlap) = dispatch.overlap {
                assert!(overlap.blocks <= overlap.best_blocks, "{overlap:?}");
                assert!(overlap.best_blocks <= overlap.isl_blocks, "{overlap:?}");
            }
            self.running.push(dispatch);
            self.log.push(dispatch);
        }
        assert_eq!(self.waiting.len(), self.router.queued());
    }

    fn tell(&mut self, event: RouterEvent) {
        let mut out = Vec::new();
        self.router.on(self.now, event, &mut out).unwrap();
        self.take(out);
    }

    fn arrive(&mut self, session: u32, run: KvRun) {
        let request = RoutingRequest {
            id: RequestId(self.arrived),
            session: SessionId(session),
            prompt: Prompt::new(run.blocks * BLOCK + 3, [run].into()),
            priority: 0,
        };
        self.arrived += 1;
        let mut out = Vec::new();
        let answer = self.router.arrive(self.now, &request, &mut out);
        if self.ready.is_empty() {
            assert_eq!(answer, Err(RouterError::NoWorkers(request.id)));
        } else {
            answer.unwrap();
            self.waiting.insert(request.id);
        }
        self.take(out);
    }

    fn step(&mut self, step: Step) {
        self.now = self.now.saturating_add(SimDuration::from_ns(1_000));
        let alive: Vec<WorkerId> = self.ready.iter().chain(&self.draining).copied().collect();
        let pick = |workers: &[WorkerId], index: usize| {
            (!workers.is_empty()).then(|| workers[index % workers.len()])
        };
        match step {
            Step::Join => {
                let id = WorkerId(self.joined);
                self.joined += 1;
                self.ready.push(id);
                self.tell(RouterEvent::WorkerReady(id, PROFILE));
            }
            Step::Drain(index) => {
                if let Some(id) = pick(&self.ready, index) {
                    self.ready.retain(|&ready| ready != id);
                    self.draining.push(id);
                    self.tell(RouterEvent::WorkerDraining(id));
                }
            }
            Step::Bury(index) => {
                let busy = |id: WorkerId| self.running.iter().any(|sent| sent.worker == id);
                let idle = pick(&self.draining, index).filter(|&id| !busy(id));
                if let Some(id) = idle {
                    self.draining.retain(|&draining| draining != id);
                    self.tell(RouterEvent::WorkerGone(id));
                }
            }
            Step::Arrive {
                session,
                segment,
                blocks,
            } => self.arrive(session, run(segment, blocks)),
            Step::Complete(index) if !self.running.is_empty() => {
                let ended = self.running.remove(index % self.running.len());
                self.tell(RouterEvent::PrefillDone(ended.request));
                self.tell(RouterEvent::Completed(ended.request));
            }
            Step::Complete(_) => {}
            Step::Store {
                worker,
                segment,
                blocks,
            } => {
                if let Some(id) = pick(&alive, worker) {
                    let run = run(segment, blocks);
                    self.tell(RouterEvent::Kv(id, KvChange::Stored { run }));
                }
            }
            Step::Evict { worker, segment } => {
                if let Some(id) = pick(&alive, worker) {
                    let run = run(segment, 8);
                    self.tell(RouterEvent::Kv(id, KvChange::Removed { run, keep: 0 }));
                }
            }
        }
    }
}

fn play(mode: RouterMode, side: Side, seed: u64, steps: &[Step]) -> Vec<Dispatch> {
    let mut pool = Pool::new(mode, side, seed);
    for &step in steps {
        pool.step(step);
    }
    pool.log
}

proptest! {
    #[test]
    fn only_ready_workers_are_chosen_and_equal_seeds_choose_equally(
        steps in prop::collection::vec(step(), 1..120), seed in 0..4_u64,
    ) {
        for mode in RouterMode::ALL {
            for side in SIDES {
                let log = play(mode, side, seed, &steps);
                prop_assert_eq!(log, play(mode, side, seed, &steps), "{}", mode);
            }
        }
    }

    #[test]
    fn a_session_moves_only_when_its_worker_takes_no_more(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pool = Pool::new(RouterMode::SessionAffinity, Side::Aggregated, 0);
        let mut homes = std::collections::BTreeMap::new();
        for &step in &steps {
            pool.step(step);
            if let Step::Arrive { session, .. } = step
                && let Some(sent) = pool.log.last()
                && sent.request.0 + 1 == pool.arrived
                && let Some(before) = homes.insert(session, sent.worker)
                && before != sent.worker
            {
                prop_assert!(!pool.ready.contains(&before), "{session} left {before:?}");
            }
        }
    }
}

#[test]
fn every_policy_uses_all_of_an_idle_pool() {
    for mode in RouterMode::ALL {
        let mut pool = Pool::new(mode, Side::Aggregated, 0);
        for _ in 0..4 {
            pool.step(Step::Join);
        }
        for session in 0..64 {
            pool.arrive(session, run(session, 1));
        }
        let used: BTreeSet<WorkerId> = pool.log.iter().map(|sent| sent.worker).collect();
        assert_eq!(used.len(), 4, "{mode}");
    }
}
