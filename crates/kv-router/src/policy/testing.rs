//! Requests and events for the policies' unit tests.

use sim_api::{
    Prompt, RequestId, Role, Router, RouterEvent, RoutingRequest, SessionId, WorkerId,
    WorkerProfile,
};
use sim_core::SimTime;

pub(super) const PROFILE: WorkerProfile = WorkerProfile {
    block_tokens: 64,
    blocks: 10,
    max_batched_tokens: None,
    max_sequences: None,
    role: Role::Aggregated,
    gpus: 1,
    draft_tokens: 0,
};

pub(super) fn ready(id: u32) -> RouterEvent {
    RouterEvent::WorkerReady(WorkerId(id), PROFILE)
}

pub(super) fn tell(router: &mut dyn Router, event: RouterEvent) {
    let mut out = Vec::new();
    router.on(SimTime::ZERO, event, &mut out).unwrap();
    assert!(out.is_empty());
}

pub(super) fn request(id: u32, session: u32) -> RoutingRequest {
    RoutingRequest {
        id: RequestId(id),
        session: SessionId(session),
        prompt: Prompt::new(1, [].into()),
        priority: 0,
    }
}

/// Where the router sends a request.
pub(super) fn choice(router: &mut dyn Router, request: &RoutingRequest) -> u32 {
    let mut out = Vec::new();
    router.arrive(SimTime::ZERO, request, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].request, request.id);
    out[0].worker.0
}

/// Where it sends `ids`, each of a session of its own.
pub(super) fn choices(router: &mut dyn Router, ids: std::ops::Range<u32>) -> Vec<u32> {
    ids.map(|id| choice(router, &request(id, id))).collect()
}
