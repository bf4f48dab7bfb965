//! The seam to routers.

use sim_core::SimTime;

use crate::{KvChange, Prompt, RequestId, SegmentId, SessionId, WorkerId, WorkerProfile};

/// A request as a router sees it: never with its output length, which a real
/// router could not know.
#[derive(Clone, Debug)]
pub struct RoutingRequest {
    /// Which request.
    pub id: RequestId,
    /// Its session.
    pub session: SessionId,
    /// Its prompt, in blocks of the engines' size.
    pub prompt: Prompt,
    /// Higher is more urgent.
    pub priority: i32,
}

/// What happens to the workers and requests of a router's pool.
#[derive(Clone, Debug)]
pub enum RouterEvent {
    /// A worker takes requests from now on.
    WorkerReady(WorkerId, WorkerProfile),
    /// A worker takes no new requests; what it has goes on.
    WorkerDraining(WorkerId),
    /// A drained worker is gone.
    WorkerGone(WorkerId),
    /// A request's prompt is computed: its first token, unless it is also the last.
    PrefillDone(RequestId),
    /// A request has left its worker.
    Completed(RequestId),
    /// A worker's cache changed.
    Kv(WorkerId, KvChange),
}

/// A request sent to a worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispatch {
    /// Which request.
    pub request: RequestId,
    /// Where to.
    pub worker: WorkerId,
    /// What the router believes of the cache, if it keeps an index.
    pub overlap: Option<Overlap>,
}

/// What a router believes about a prompt and a worker's cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// Prompt blocks believed to be on the chosen worker.
    pub blocks: u32,
    /// The most on any worker it could have chosen.
    pub best_blocks: u32,
    /// Blocks of the prompt, the partial one included.
    pub isl_blocks: u32,
}

/// What a router wants to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterNeeds {
    /// [`RouterEvent::Kv`].
    pub kv: bool,
    /// [`RouterEvent::PrefillDone`] and [`RouterEvent::Completed`], each at its
    /// own instant.
    pub progress: bool,
}

/// Chooses workers for requests.
pub trait Router: Send {
    /// A request arrives. The router dispatches it now or keeps it.
    ///
    /// # Errors
    /// No worker can ever take it.
    fn arrive(
        &mut self,
        now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError>;

    /// Something happened; requests kept back may be dispatched.
    ///
    /// # Errors
    /// The event contradicts what the router was told before.
    fn on(
        &mut self,
        now: SimTime,
        event: RouterEvent,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError>;

    /// How many requests it keeps back.
    fn queued(&self) -> usize;

    /// What it wants to be told.
    fn needs(&self) -> RouterNeeds;

    /// Adds the segments that it believes to be in a cache, in any order, and
    /// tells whether that is all of them. A router that is told of caches
    /// ([`RouterNeeds::kv`]) and does not say so keeps workloads from
    /// forgetting any.
    fn known_segments(&self, _out: &mut Vec<SegmentId>) -> bool {
        !self.needs().kv
    }
}

/// A router cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    /// There is no worker to choose.
    #[error("no worker is ready to take request {}", .0.0)]
    NoWorkers(RequestId),
    /// The event does not fit the router's state.
    #[error("inconsistent event: {0}")]
    Inconsistent(String),
}
