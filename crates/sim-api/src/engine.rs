//! The seam to inference engines.

use sim_core::SimTime;

use crate::{
    CoverageTally, KvChange, PassRun, Pool, Prompt, RequestId, Role, SegmentId, StepTimeError,
    TokenGaps, WorkerId,
};

/// How far an engine may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Passes that start before the instant.
    Before(SimTime),
    /// Passes that start at the instant or before.
    Through(SimTime),
}

impl Limit {
    /// The instant up to which outcomes are delivered, itself included.
    pub fn instant(self) -> SimTime {
        match self {
            Self::Before(at) | Self::Through(at) => at,
        }
    }

    /// Whether a pass may start at `at`.
    pub fn admits(self, at: SimTime) -> bool {
        match self {
            Self::Before(limit) => at < limit,
            Self::Through(limit) => at <= limit,
        }
    }
}

/// Which outcomes could make the outside act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The end of any pass.
    PassEnd,
    /// A first token or a completion.
    FirstTokenOrEnd,
    /// A completion.
    Completion,
}

/// A request as an engine sees it.
#[derive(Clone, Debug)]
pub struct EngineRequest {
    /// Whose request it is.
    pub id: RequestId,
    /// Its prompt, in blocks of the engine's size.
    pub prompt: Prompt,
    /// Tokens to generate (OSL); at least 1.
    pub output_tokens: u32,
}

/// What became of a request handed to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It waits or runs.
    Queued,
    /// It can never run.
    Rejected(Rejection),
}

/// Why a request can never run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The prompt is empty.
    #[error("input length is 0")]
    EmptyPrompt,
    /// Nothing is to be generated.
    #[error("output length is 0")]
    NoOutput,
    /// Prompt and output need more blocks than the pool has.
    #[error("needs {needed} KV blocks for prompt and output, the pool has {available}")]
    PoolTooSmall {
        /// Blocks needed.
        needed: u64,
        /// Blocks there are.
        available: u64,
    },
    /// Chunked prefill is off and the prompt exceeds the token budget of a pass.
    #[error(
        "prompt of {tokens} tokens exceeds max_num_batched_tokens {budget} and chunked prefill is off"
    )]
    PromptOverBudget {
        /// Prompt length.
        tokens: u64,
        /// The budget.
        budget: u64,
    },
    /// The prompt leaves no room for a token below the model's length limit.
    #[error("prompt of {tokens} tokens reaches max_model_len {limit}")]
    PromptOverModelLength {
        /// Prompt length.
        tokens: u64,
        /// The limit.
        limit: u64,
    },
}

/// The instant of an outcome with its place among the outcomes of that instant.
///
/// Outcomes are ordered by (`at`, `pass_start`, pool, worker, order of delivery).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// When it becomes visible: the end of its pass.
    pub at: SimTime,
    /// Start of the pass.
    pub pass_start: SimTime,
}

/// A request got KV blocks and a place in the running batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Which request.
    pub request: RequestId,
    /// Start of the pass.
    pub at: SimTime,
    /// Prompt tokens found in the cache.
    pub cached_tokens: u32,
    /// Whether it had been admitted before and then preempted.
    pub again: bool,
}

/// A request lost its KV blocks and waits again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preempted {
    /// Which request.
    pub request: RequestId,
    /// Start of the pass in which it happened.
    pub at: SimTime,
}

/// Receives what an engine does. All methods default to doing nothing.
///
/// One engine's calls come in order of time. An engine may deliver an outcome
/// late (when it is next advanced), never early: nothing with a time after the
/// instant of the [`Limit`] is delivered, but for `admitted`, `preempted`,
/// `passes` and (under [`crate::Quirk::KvEventsAtPassStart`]) `kv`, which
/// belong to the start of a pass.
pub trait EngineSink {
    /// A request was admitted by a pass.
    fn admitted(&mut self, _admitted: Admitted) {}
    /// A request lost its place.
    fn preempted(&mut self, _preempted: Preempted) {}
    /// A request's first token.
    fn first_token(&mut self, _stamp: Stamp, _request: RequestId) {}
    /// A request's second token.
    fn second_token(&mut self, _stamp: Stamp, _request: RequestId) {}
    /// A request's last token. Comes after its first and second.
    fn completed(&mut self, _stamp: Stamp, _request: RequestId) {}
    /// Gaps between tokens, every consecutive pair of every request once.
    fn gaps(&mut self, _gaps: TokenGaps<'_>) {}
    /// Passes, if [`Feeds::passes`] was asked for.
    fn passes(&mut self, _run: PassRun<'_>) {}
    /// A change of the resident blocks, if [`Feeds::kv`] was asked for.
    fn kv(&mut self, _stamp: Stamp, _change: KvChange) {}
}

/// Which optional reports an engine makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feeds {
    /// [`EngineSink::passes`].
    pub passes: bool,
    /// [`EngineSink::kv`].
    pub kv: bool,
}

/// How far an engine got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// End of the last pass that ended within the limit, if any ever did.
    pub last_pass_end: Option<SimTime>,
    /// Whether it has nothing to do: no request waits or runs.
    pub idle: bool,
}

/// A snapshot of an engine's load, for observers and load-aware policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerLoad {
    /// Requests waiting.
    pub waiting: u32,
    /// Requests running.
    pub running: u32,
    /// Blocks in use by running requests.
    pub active_blocks: u32,
    /// Blocks that are resident but unused.
    pub inactive_blocks: u32,
    /// Blocks in the pool.
    pub total_blocks: u32,
}

/// What the outside may know of a worker before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerProfile {
    /// Tokens in a KV block.
    pub block_tokens: u32,
    /// KV blocks.
    pub blocks: u32,
    /// Token budget of a pass; `None` if unlimited.
    pub max_batched_tokens: Option<u32>,
    /// Seats; `None` if unlimited.
    pub max_sequences: Option<u32>,
    /// What its passes do.
    pub role: Role,
    /// GPUs of one worker.
    pub gpus: u32,
    /// Draft tokens a decode step (speculative decoding); 0 if off.
    pub draft_tokens: u32,
}

/// A simulated inference engine.
///
/// Contract of the caller: instants never decrease; before `accept(now, ..)`
/// the engine was advanced with [`Limit::Before`]`(now)`, and neither
/// `advance(Through(now))` nor `next_visible` was called at `now` and then
/// followed by an `accept` at `now` that should have been in the pass starting
/// at `now` (calling them lets that pass start).
pub trait Engine: Send {
    /// Hands over a request at `now`. It can be scheduled by passes that start
    /// at `now` or later.
    fn accept(&mut self, now: SimTime, request: EngineRequest) -> Admission;

    /// A lower bound of the next instant at which a watched outcome becomes
    /// visible if nothing else arrives; `None` if there will be none. May be
    /// the current instant (passes of no length). Advancing to the returned
    /// instant either delivers such an outcome or moves the bound on.
    ///
    /// # Errors
    /// As [`Engine::advance`].
    fn next_visible(&mut self, watch: Watch) -> Result<Option<SimTime>, EngineError>;

    /// Runs passes as far as `limit` admits and delivers outcomes up to its
    /// instant.
    ///
    /// # Errors
    /// A step time cannot be had; the run is over.
    fn advance(&mut self, limit: Limit, sink: &mut dyn EngineSink)
    -> Result<Progress, EngineError>;

    /// The load as of the last pass started.
    fn load(&self) -> WorkerLoad;

    /// Leading tokens of `prompt` in the cache as of the last pass started:
    /// what a KV transfer to this engine need not send.
    fn resident_tokens(&self, prompt: &Prompt) -> u32;

    /// Adds the segments of which blocks are in its cache, in any order, and
    /// tells whether that is all of them. An engine that cannot say keeps
    /// workloads from forgetting any.
    fn known_segments(&self, _out: &mut Vec<SegmentId>) -> bool {
        false
    }

    /// Busy time so far, by what its step times rest on.
    fn coverage(&self) -> CoverageTally;
}

/// Makes the engines of a deployment.
pub trait EngineFactory {
    /// A new, empty engine.
    fn spawn(&self, pool: Pool, id: WorkerId, feeds: Feeds) -> Box<dyn Engine>;
    /// What its workers are like.
    fn profile(&self, pool: Pool) -> WorkerProfile;
    /// Whether an engine of `pool` could ever run a request of these lengths.
    ///
    /// # Errors
    /// Why not; [`Engine::accept`] would answer the same.
    fn check(&self, pool: Pool, input_tokens: u32, output_tokens: u32) -> Result<(), Rejection>;
}

/// A run cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// The step-time model has no answer.
    #[error("at {at}: {source}")]
    StepTime {
        /// Start of the pass.
        at: SimTime,
        /// What is missing.
        source: StepTimeError,
    },
    /// Requests preempt each other and none gets on: the pool is too small for
    /// what its limits let in.
    #[error(
        "at {at}: {passes} passes without a token, requests keep preempting each other; \
         give the engine more KV blocks or fewer seats"
    )]
    NoProgress {
        /// Start of the last pass.
        at: SimTime,
        /// Passes since the last token.
        passes: u64,
    },
}
