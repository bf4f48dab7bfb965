//! Drives engines without the rest of a simulation: arrivals at fixed
//! instants, round robin, optionally a hand-off from prefill to decode.

use std::collections::BTreeMap;

use mocker::{DEFAULT_BLOCKS, EngineConfig, Factory, Implementation, PoolEngines, Scheduler};
use sim_api::{
    Admission, Admitted, Engine, EngineError, EngineFactory, EngineRequest, EngineSink, Feeds,
    KvChange, Limit, PassRecord, PassRun, Pool, Preempted, Prompt, Quirks, Rejection, RequestId,
    Role, Stamp, TokenGaps, Watch, WorkerId,
};
use sim_core::{SimDuration, SimTime};

use crate::polynomial::Polynomial;

/// What a request went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Story {
    pub(crate) admissions: Vec<(SimTime, u32, bool)>,
    pub(crate) preemptions: Vec<SimTime>,
    pub(crate) first: Option<SimTime>,
    pub(crate) second: Option<SimTime>,
    pub(crate) completed: Vec<SimTime>,
}

/// What an engine told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Told {
    pub(crate) stories: BTreeMap<u32, Story>,
    /// In order of completion.
    pub(crate) ended: Vec<(SimTime, RequestId)>,
    /// Start and length of every gap.
    pub(crate) gaps: Vec<(SimTime, SimDuration)>,
    pub(crate) passes: Vec<(SimTime, SimDuration, PassRecord)>,
    pub(crate) kv: Vec<(SimTime, KvChange)>,
}

impl Told {
    fn story(&mut self, request: RequestId) -> &mut Story {
        self.stories.entry(request.0).or_default()
    }
}

impl EngineSink for Told {
    fn admitted(&mut self, admitted: Admitted) {
        let entry = (admitted.at, admitted.cached_tokens, admitted.again);
        self.story(admitted.request).admissions.push(entry);
    }

    fn preempted(&mut self, preempted: Preempted) {
        self.story(preempted.request).preemptions.push(preempted.at);
    }

    fn first_token(&mut self, stamp: Stamp, request: RequestId) {
        assert_eq!(self.story(request).first.replace(stamp.at), None);
    }

    fn second_token(&mut self, stamp: Stamp, request: RequestId) {
        assert_eq!(self.story(request).second.replace(stamp.at), None);
    }

    fn completed(&mut self, stamp: Stamp, request: RequestId) {
        self.story(request).completed.push(stamp.at);
        self.ended.push((stamp.at, request));
    }

    fn gaps(&mut self, gaps: TokenGaps<'_>) {
        let mut start = gaps.start;
        for index in 0..gaps.durations.passes() {
            let length = gaps.durations.get(index);
            self.gaps
                .extend((0..gaps.requests).map(|_| (start, length)));
            start += length;
        }
    }

    fn passes(&mut self, run: PassRun<'_>) {
        let (mut start, mut record) = (run.start, run.first);
        for index in 0..run.durations.passes() {
            let length = run.durations.get(index);
            self.passes.push((start, length, record));
            record.decode_contexts.shift(1);
            start += length;
        }
    }

    fn kv(&mut self, stamp: Stamp, change: KvChange) {
        self.kv.push((stamp.at, change));
    }
}

/// A request and when it arrives.
#[derive(Clone, Debug)]
pub(crate) struct Arriving {
    pub(crate) at: SimTime,
    pub(crate) prompt: Prompt,
    pub(crate) output_tokens: u32,
}

/// Workers of one pool that take turns.
pub(crate) struct Workers {
    pub(crate) engines: Vec<Box<dyn Engine>>,
    pub(crate) told: Vec<Told>,
}

pub(crate) fn scheduler(config: &EngineConfig, role: Role, quirks: Quirks) -> Scheduler {
    let blocks = config.blocks.unwrap_or(DEFAULT_BLOCKS);
    config.scheduler(role, blocks, quirks)
}

pub(crate) fn pool_engines(scheduler: Scheduler) -> PoolEngines {
    PoolEngines {
        scheduler,
        gpus: 1,
        model: std::sync::Arc::new(|| Box::new(Polynomial)),
    }
}

impl Workers {
    pub(crate) fn new(scheduler: Scheduler, implementation: Implementation, count: u32) -> Self {
        let factory = Factory::aggregated(pool_engines(scheduler)).with(implementation);
        Self::of(&factory, count)
    }

    pub(crate) fn of(factory: &Factory, count: u32) -> Self {
        let feeds = Feeds {
            passes: true,
            kv: true,
        };
        let spawn = |id| factory.spawn(Pool::Decode, WorkerId(id), feeds);
        Self {
            engines: (0..count).map(spawn).collect(),
            told: vec![Told::default(); count as usize],
        }
    }

    /// Runs requests that are sorted by arrival; `first_id` names the first.
    pub(crate) fn run(
        &mut self,
        arrivals: &[(RequestId, Arriving)],
    ) -> Result<Vec<(RequestId, Rejection)>, EngineError> {
        let mut rejected = Vec::new();
        for (turn, pair) in arrivals.iter().enumerate() {
            let turn = turn % self.engines.len();
            rejected.extend(self.give_to(turn, pair)?);
        }
        self.finish()?;
        Ok(rejected)
    }

    /// Brings one worker up to an arrival and hands it over.
    pub(crate) fn give_to(
        &mut self,
        worker: usize,
        (id, arriving): &(RequestId, Arriving),
    ) -> Result<Option<(RequestId, Rejection)>, EngineError> {
        let engine = &mut self.engines[worker];
        engine.advance(Limit::Before(arriving.at), &mut self.told[worker])?;
        let request = EngineRequest {
            id: *id,
            prompt: arriving.prompt.clone(),
            output_tokens: arriving.output_tokens,
        };
        Ok(match engine.accept(arriving.at, request) {
            Admission::Queued => None,
            Admission::Rejected(why) => Some((*id, why)),
        })
    }

    /// Runs until nobody has anything to do.
    pub(crate) fn finish(&mut self) -> Result<(), EngineError> {
        for (engine, told) in self.engines.iter_mut().zip(&mut self.told) {
            let progress = engine.advance(Limit::Through(SimTime::MAX), told)?;
            assert!(progress.idle);
        }
        Ok(())
    }

    /// Looks ahead and stops on the way, as a router or a planner would, and
    /// checks that nothing is told before its time.
    pub(crate) fn look(&mut self, at: SimTime, watch: Watch) -> Result<(), EngineError> {
        for (engine, told) in self.engines.iter_mut().zip(&mut self.told) {
            let ended = told.ended.len();
            let bound = engine.next_visible(watch)?;
            engine.advance(Limit::Through(at), told)?;
            for (end, _) in &told.ended[ended..] {
                assert!(bound.is_some_and(|bound| bound <= *end) && *end <= at);
            }
        }
        Ok(())
    }

    /// The story of a request by whichever worker had it.
    pub(crate) fn story(&self, request: u32) -> &Story {
        self.told
            .iter()
            .find_map(|told| told.stories.get(&request))
            .unwrap_or_else(|| panic!("request {request} has no story"))
    }

    pub(crate) fn gaps(&self) -> Vec<(SimTime, SimDuration)> {
        let mut gaps: Vec<_> = self
            .told
            .iter()
            .flat_map(|told| &told.gaps)
            .copied()
            .collect();
        gaps.sort_unstable();
        gaps
    }

    /// Completions of all workers in order of time, then worker.
    pub(crate) fn ended(&self) -> Vec<(SimTime, RequestId)> {
        let mut ended: Vec<_> = self
            .told
            .iter()
            .flat_map(|told| &told.ended)
            .copied()
            .collect();
        ended.sort_by_key(|(at, _)| *at);
        ended
    }
}
