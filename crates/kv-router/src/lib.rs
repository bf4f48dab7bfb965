//! Request routers: round robin, least loaded, and prefix overlap with load
//! tracking.
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
mod policy;
mod run_index;

pub use config::{QueuePolicy, RouterConfig, RouterConfigError};
pub use hash_index::{
    ApproximateIndex, Block, BlockEvent, BlockHasher, ConcurrentIndex, EarlyExit, EngineHash,
    HashIndex, IndexError, IndexLock, LocalHash, Matches, Matching, PrefixIndex, WorkerKey,
    sequence_hashes,
};
pub use policy::{KvRouter, LeastLoaded, PrefillEstimator, RoundRobin, Side};
pub use run_index::RunIndex;
