//! The [`Engine`] around a scheduler that runs one pass at a time.

use sim_api::{
    Admission, CoverageTally, Engine, EngineError, EngineRequest, EngineSink, Feeds, Limit,
    Progress, Prompt, Rejection, StepTimeError, Watch, WorkerLoad,
};
use sim_core::SimTime;

use super::report::PassReport;

/// Decides and carries out passes. Knows no time but the start of the pass.
pub(crate) trait PassScheduler: Send {
    /// Takes a request in, or says why it can never run.
    fn accept(&mut self, request: EngineRequest) -> Result<(), Rejection>;
    /// Whether any request waits or runs.
    fn has_work(&self) -> bool;
    /// Runs the pass that starts at `report.start` and sets `report.end`.
    fn pass(&mut self, report: &mut PassReport) -> Result<(), StepTimeError>;
    /// How many passes without a token are nothing to worry about.
    fn patience(&self) -> u64;
    /// The load after the last pass.
    fn load(&self) -> WorkerLoad;
    /// Leading tokens of the prompt in the cache.
    fn resident_tokens(&self, prompt: &Prompt) -> u32;
    /// Busy time so far.
    fn coverage(&self) -> CoverageTally;
}

/// How often the scheduler's patience is asked for, in passes without a token.
const PATIENCE_CHECK: u64 = 1024;

/// An engine that runs one pass at a time.
pub(crate) struct Stepped<S> {
    scheduler: S,
    feeds: Feeds,
    /// Whether KV changes are visible at pass start.
    kv_at_start: bool,
    /// When the next pass may start, if none is in flight.
    free_at: SimTime,
    in_flight: Option<PassReport>,
    last_pass_end: Option<SimTime>,
    passes_without_token: u64,
}

impl<S: PassScheduler> Stepped<S> {
    pub(crate) fn new(scheduler: S, feeds: Feeds, kv_at_start: bool) -> Self {
        Self {
            scheduler,
            feeds,
            kv_at_start,
            free_at: SimTime::ZERO,
            in_flight: None,
            last_pass_end: None,
            passes_without_token: 0,
        }
    }

    fn start_pass(&mut self) -> Result<(), EngineError> {
        let at = self.free_at;
        let mut report = PassReport::new(at, self.feeds);
        self.scheduler
            .pass(&mut report)
            .map_err(|source| EngineError::StepTime { at, source })?;
        if report.has_tokens() {
            self.passes_without_token = 0;
        } else {
            self.passes_without_token += 1;
            self.check_progress(at)?;
        }
        self.in_flight = Some(report);
        Ok(())
    }

    /// Requests that preempt each other for ever are an error, not a hang.
    fn check_progress(&self, at: SimTime) -> Result<(), EngineError> {
        let passes = self.passes_without_token;
        if passes.is_multiple_of(PATIENCE_CHECK) && passes > self.scheduler.patience() {
            return Err(EngineError::NoProgress { at, passes });
        }
        Ok(())
    }
}

impl<S: PassScheduler> Engine for Stepped<S> {
    fn accept(&mut self, now: SimTime, request: EngineRequest) -> Admission {
        let idle = self.in_flight.is_none() && !self.scheduler.has_work();
        match self.scheduler.accept(request) {
            Ok(()) => {
                if idle {
                    self.free_at = self.free_at.max(now);
                }
                Admission::Queued
            }
            Err(why) => Admission::Rejected(why),
        }
    }

    fn next_visible(&mut self, _watch: Watch) -> Result<Option<SimTime>, EngineError> {
        if self.in_flight.is_none() && self.scheduler.has_work() {
            self.start_pass()?;
        }
        Ok(self.in_flight.as_ref().map(|pass| pass.end))
    }

    fn advance(
        &mut self,
        limit: Limit,
        sink: &mut dyn EngineSink,
    ) -> Result<Progress, EngineError> {
        loop {
            if let Some(pass) = &mut self.in_flight {
                pass.tell_start(self.feeds, self.kv_at_start, sink);
                if pass.end > limit.instant() {
                    break;
                }
                pass.tell_end(self.feeds, self.kv_at_start, sink);
                self.free_at = pass.end;
                self.last_pass_end = Some(pass.end);
                self.in_flight = None;
            }
            if !self.scheduler.has_work() || !limit.admits(self.free_at) {
                break;
            }
            self.start_pass()?;
        }
        Ok(Progress {
            last_pass_end: self.last_pass_end,
            idle: self.in_flight.is_none() && !self.scheduler.has_work(),
        })
    }

    fn load(&self) -> WorkerLoad {
        self.scheduler.load()
    }

    fn resident_tokens(&self, prompt: &Prompt) -> u32 {
        self.scheduler.resident_tokens(prompt)
    }

    fn coverage(&self) -> CoverageTally {
        self.scheduler.coverage()
    }
}
