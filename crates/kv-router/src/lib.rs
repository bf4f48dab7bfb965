//! Request routers, from round robin to prefix overlap with load tracking:
//! [`RouterMode`] has them all by name.
//!
//! ```
//! use kv_router::{KvRouter, RouterConfig, Side};
//! use sim_api::{Quirks, Router};
//!
//! let router = KvRouter::new(RouterConfig::default(), Side::Aggregated, 0, Quirks::NONE, None);
//! assert!(router.needs().kv && router.is_empty());
//! ```

mod config;
mod hash_index;
mod load;
mod mode;
mod policy;
mod prefill_queue;
mod run_index;
mod selection;
mod sequences;

pub use config::{QueuePolicy, RouterConfig, RouterConfigError};
pub use hash_index::{
    ApproximateIndex, Block, BlockEvent, BlockHasher, ConcurrentIndex, EarlyExit, EngineHash,
    HashIndex, IndexError, IndexLock, LocalHash, Matches, Matching, PrefixIndex, Tier, TierDepths,
    TieredIndex, WorkerKey, sequence_hashes,
};
pub use mode::{ParseRouterModeError, RouterMode, RouterSettings};
pub use policy::{
    KvRouter, LeastLoaded, PowerOfTwo, PrefillEstimator, PrefixOnly, Random, RoundRobin,
    SessionAffinity, Side,
};
pub use run_index::RunIndex;
pub use selection::{
    CacheTiers, Candidate, Overrides, SelectError, Selection, SelectionRequest, Selector,
    WorkerView, queue_key,
};
pub use sequences::{PrefillHint, PromptBlocks, RankLoad, SequenceError, SequenceTracker};
