//! Lets the workload forget the prompt segments that nothing knows any more, so
//! that its memory follows what is in flight and in caches, not what ever was.

use sim_api::SegmentId;

use crate::outcome::OutcomeKind;
use crate::run::{Event, Simulation};

impl Simulation<'_> {
    /// Tells the workload which segments a request in flight, a cache, a router
    /// or a cache change under way refers to.
    pub(crate) fn forget(&mut self) {
        let mut known: Vec<SegmentId> = Vec::new();
        self.forgets = self.fleets.known_segments(&mut known);
        if !self.forgets {
            return;
        }
        for prompt in self.in_flight.prompts() {
            known.extend(prompt.runs().iter().map(|run| run.segment));
        }
        let under_way = self.events.payloads().filter_map(|event| match event {
            Event::Kv { outcome } => Some(outcome),
            _ => None,
        });
        for outcome in self.outcomes.iter().chain(under_way) {
            if let OutcomeKind::Kv { change } = outcome.kind {
                known.push(change.segment());
            }
        }
        self.workload.forget_others(known);
    }
}
