//! The seam to workloads: what arrives, and when.

use sim_core::SimTime;

use crate::{Prompt, RequestId, SegmentId, SessionId};

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its session.
    pub session: SessionId,
    /// Its turn in the session, from 0.
    pub turn: u32,
}

/// A request that arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its number, in order of release.
    pub id: RequestId,
    /// When it arrives, at or before the instant of its release.
    pub at: SimTime,
    /// Its prompt.
    pub prompt: Prompt,
    /// Tokens to generate; may be 0, which engines reject.
    pub output_tokens: u32,
    /// Where it comes from.
    pub origin: Origin,
    /// Higher is more urgent.
    pub priority: i32,
}

/// A source of requests.
pub trait Workload: Send {
    /// The next instant at which a request could be released, given what has
    /// completed so far; `None` if none will be until something completes.
    ///
    /// # Errors
    /// The source cannot be read on.
    fn next_arrival(&mut self) -> Result<Option<SimTime>, WorkloadError>;

    /// Releases requests that are due at `now`, at most `slots`, in order.
    /// Under a concurrency cap they arrive when they are released.
    ///
    /// # Errors
    /// The source cannot be read on.
    fn release(
        &mut self,
        now: SimTime,
        slots: usize,
        out: &mut Vec<Arrival>,
    ) -> Result<(), WorkloadError>;

    /// A request has left the deployment: completed, or rejected.
    fn on_complete(&mut self, now: SimTime, request: RequestId);

    /// Whether [`Workload::on_complete`] can bring arrivals forward, so that
    /// completions must be told at their own instant.
    fn reacts(&self) -> bool;

    /// How many requests it holds in all, if it knows.
    fn len_hint(&self) -> Option<u64>;

    /// Whether it remembers so many prompt segments that it would like to be
    /// told which of them matter ([`Workload::forget_others`]).
    fn wants_to_forget(&self) -> bool {
        false
    }

    /// Of the segments it has issued, only `known` are in a cache, an index or
    /// a request in flight (any order, repetitions allowed); no prompt to come
    /// can meet the others, so they may get a new number when they come again.
    fn forget_others(&mut self, _known: Vec<SegmentId>) {}
}

/// A workload cannot be read on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkloadError(pub Box<dyn std::error::Error + Send + Sync>);
