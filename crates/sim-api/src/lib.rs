//! The vocabulary of LLM serving and the seams between the parts of a
//! simulation. No behaviour lives here.
//!
//! Data flows one way:
//! [`Workload`] → [`Router`] → [`Engine`] → [`Observer`], while a
//! [`ScalingPolicy`] watches and scales. Each part implements one of these
//! traits and sees the others only through the types of this crate.
//!
//! ```
//! use sim_api::{KvRun, Prompt, SegmentId};
//!
//! // Two prompts that share their first three KV blocks.
//! let system_prompt = KvRun { segment: SegmentId(0), blocks: 3 };
//! let one = Prompt::new(200, [system_prompt].into());
//! let two = Prompt::new(400, [system_prompt, KvRun { segment: SegmentId(1), blocks: 3 }].into());
//! assert_eq!(one.shared_blocks(&two), 3);
//! ```

mod engine;
mod ids;
mod kv;
mod observer;
mod pass;
mod prompt;
mod quirk;
mod router;
mod scaling;
mod step_time;
mod workload;

pub use engine::{
    Admission, Admitted, Engine, EngineError, EngineFactory, EngineRequest, EngineSink, Feeds,
    Limit, Preempted, Progress, Rejection, Stamp, Watch, WorkerLoad, WorkerProfile,
};
pub use ids::{Pool, RequestId, Role, SegmentId, SessionId, WorkerId, WorkerRef};
pub use kv::KvChange;
pub use observer::{Observer, RunEnd, WorkerChange};
pub use pass::{PassDurations, PassRecord, PassRun, Spread, TokenGaps};
pub use prompt::{KvRun, Prompt};
pub use quirk::{Compat, ParseCompatError, Quirk, Quirks};
pub use router::{
    Dispatch, Overlap, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest,
};
pub use scaling::{
    Decision, EngineLoadRecord, Observation, PassRow, PoolObservation, ScalingError, ScalingEvent,
    ScalingPolicy, Targets, TickNeeds, TickRecord, Traffic,
};
pub use step_time::{
    Coverage, CoverageTally, DecodeAxis, DecodeStep, PrefillStep, StepTime, StepTimeError,
    StepTimeModel,
};
pub use workload::{Arrival, Origin, Workload, WorkloadError};
