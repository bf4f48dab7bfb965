//! The place of a request that has to wait.

use crate::config::QueuePolicy;

/// The key of a waiting request, the greatest to be sent first. `arrival_s` is
/// in seconds, `priority_jump` in seconds too (below 0 counts as 0), and
/// `cached_tokens` are the most that any worker open to it has of its prompt.
///
/// First come: jump - arrival; last come: jump + arrival; shortest: (1 + jump)
/// over the tokens to compute, at least 1.
///
/// ```
/// use kv_router::{QueuePolicy, queue_key};
/// assert_eq!(queue_key(QueuePolicy::Fcfs, 10.0, 50.0, 512, 0.0), 40.0);
/// assert_eq!(queue_key(QueuePolicy::Wspt, 10.0, 0.0, 1024, 960.0), 1.0 / 64.0);
/// ```
pub fn queue_key(
    policy: QueuePolicy,
    arrival_s: f64,
    priority_jump: f64,
    prompt_tokens: u32,
    cached_tokens: f64,
) -> f64 {
    let jump = priority_jump.max(0.0);
    match policy {
        QueuePolicy::Fcfs => jump - arrival_s,
        QueuePolicy::Lcfs => jump + arrival_s,
        QueuePolicy::Wspt => (1.0 + jump) / (f64::from(prompt_tokens) - cached_tokens).max(1.0),
    }
}
