//! The [`Engine`] around the state and the step times.

use sim_api::{
    Admission, CoverageTally, Engine, EngineError, EngineRequest, EngineSink, Feeds, Limit,
    Progress, Prompt, SegmentId, Watch, WorkerId, WorkerLoad,
};
use sim_core::SimTime;

use super::state::State;
use super::step_table::{StepTable, StepTimes};
use crate::config::VllmConfig;

/// A vLLM worker that skips what does not change.
pub struct VllmEngine {
    times: StepTimes,
    state: State,
}

impl VllmEngine {
    /// An empty worker. `times` must have been made for an equal configuration.
    pub fn new(config: VllmConfig, worker: WorkerId, times: StepTimes, feeds: Feeds) -> Self {
        Self {
            times,
            state: State::new(config, worker, feeds),
        }
    }
}

impl State {
    fn advance(
        &mut self,
        limit: Limit,
        table: &mut StepTable,
        sink: &mut dyn EngineSink,
    ) -> Result<(), EngineError> {
        loop {
            if self.pending.undelivered {
                if self.pending.stamp.at > limit.instant() {
                    break;
                }
                self.last_end = Some(self.pending.stamp.at);
                self.pending.deliver(table, sink);
            }
            if self.has_nothing_to_do() || !limit.admits(self.clock) {
                break;
            }
            if !self.run_segment(limit, table, sink)? {
                self.pass(table, sink)?;
            }
        }
        Ok(())
    }
}

impl Engine for VllmEngine {
    fn accept(&mut self, now: SimTime, request: EngineRequest) -> Admission {
        self.state.accept(now, request)
    }

    fn next_visible(&mut self, watch: Watch) -> Result<Option<SimTime>, EngineError> {
        let at = self.state.clock;
        self.state
            .next_visible(watch, &mut self.times.lock())
            .map_err(|source| EngineError::StepTime { at, source })
    }

    fn advance(
        &mut self,
        limit: Limit,
        sink: &mut dyn EngineSink,
    ) -> Result<Progress, EngineError> {
        self.state.advance(limit, &mut self.times.lock(), sink)?;
        Ok(Progress {
            last_pass_end: self.state.last_end,
            idle: !self.state.pending.undelivered && self.state.has_nothing_to_do(),
        })
    }

    fn load(&self) -> WorkerLoad {
        self.state.load()
    }

    fn resident_tokens(&self, prompt: &Prompt) -> u32 {
        self.state.resident_tokens(prompt)
    }

    fn known_segments(&self, out: &mut Vec<SegmentId>) -> bool {
        self.state.kv.add_segments(out);
        true
    }

    fn coverage(&self) -> CoverageTally {
        self.state.coverage
    }
}
