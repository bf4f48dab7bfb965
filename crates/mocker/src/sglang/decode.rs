//! The decode step: retraction where slots run short, and the tokens.

use crate::stepped::PassReport;

use super::request::Request;
use super::scheduler::Sglang;

impl Sglang {
    /// Gives every running request a token at `report.end`.
    pub(super) fn decode(&mut self, report: &mut PassReport) {
        if self.running.is_empty() {
            return;
        }
        self.retract(report);
        self.make_room(self.running.len() as u64);
        let mut running = std::mem::take(&mut self.running);
        let mut ended = Vec::new();
        for (index, request) in running.iter_mut().enumerate() {
            if self.take_slot() && self.append_token(request, report) {
                ended.push(index);
            }
            request.prefilling = false;
        }
        for index in ended.into_iter().rev() {
            running.swap_remove(index);
        }
        self.running = running;
    }

    /// While the running requests need more slots than there are, the one with
    /// the fewest output tokens gives its own up and waits again.
    fn retract(&mut self, report: &mut PassReport) {
        let mut retracted = Vec::new();
        while self.running.len() > 1 && self.is_short() {
            let fewest = |&index: &usize| self.running[index].generated;
            let Some(index) = (0..self.running.len()).min_by_key(fewest) else {
                break;
            };
            let mut request = self.running.swap_remove(index);
            self.release(&mut request);
            request.prefilling = false;
            report.preempted(request.id);
            retracted.push(request);
        }
        self.reserve_was_short |= !retracted.is_empty();
        for request in retracted.into_iter().rev() {
            self.waiting.push_front(request);
        }
    }

    fn is_short(&self) -> bool {
        let available = self.free + self.tree.evictable_tokens();
        let crossing = |request: &&Request| request.len() + 1 > request.reserved;
        let new_pages = self.running.iter().filter(crossing).count() as u64;
        let left = available
            .saturating_sub(self.slack)
            .saturating_sub(new_pages * self.page_tokens());
        available < self.running.len() as u64 || left == 0
    }

    /// Takes a slot for one token.
    fn take_slot(&mut self) -> bool {
        self.make_room(1);
        while self.free == 0 && self.release_last_waiting(0) {
            self.make_room(1);
        }
        let found = self.free > 0;
        self.free -= u64::from(found);
        found
    }

    /// Appends a token that has a slot. True if it was the request's last.
    fn append_token(&mut self, request: &mut Request, report: &mut PassReport) -> bool {
        self.slack -= request.slack();
        request.generated += 1;
        request.computed += 1;
        if request.computed > request.reserved {
            request.reserved += self.page_tokens();
        }
        self.slack += request.slack();
        if !request.prefilling {
            report.record.decode_tokens += 1;
            report.record.decode_forwards += 1;
        }
        self.cache_pages(request);
        let last = request.generated == request.output_tokens;
        let before = request.last_token.replace(report.end);
        report.token(request.id, request.generated, last, before);
        if last {
            self.release(request);
        }
        last
    }
}
