//! The tokens of a pass.

use std::collections::BTreeSet;

use sim_api::{DecodeStep, Quirk, RequestId, Role, StepTimeError};
use sim_core::SimTime;

use crate::blocks::BlockId;
use crate::config::Speculation;
use crate::spec_decode::BurstSampler;
use crate::stepped::PassReport;

use super::request::{Request, Status};
use super::schedule::Pass;
use super::vllm::LiteralVllm;

impl LiteralVllm {
    /// Requests that get a token, in running order.
    pub(super) fn ready(&self) -> Vec<RequestId> {
        self.running
            .iter()
            .copied()
            .filter(|id| self.requests[id].is_ready())
            .collect()
    }

    /// The decode step and its tokens.
    pub(super) fn decode(
        &mut self,
        decode_start: SimTime,
        pass: &mut Pass,
        report: &mut PassReport,
    ) -> Result<(), StepTimeError> {
        let ready = self.ready();
        report.end = decode_start;
        let Some(step) = self.decode_inputs(&ready) else {
            self.emit(pass, report);
            return Ok(());
        };
        let (span, time) = self.clock.decode_uncounted(step)?;
        report.end = decode_start + span;
        self.emit(pass, report);
        if report.has_tokens() {
            self.clock.coverage_mut().add(time.coverage, span);
        } else {
            report.end = decode_start;
        }
        Ok(())
    }

    /// What the decode step is timed by; `None` if it takes no time.
    pub(super) fn decode_inputs(&self, ready: &[RequestId]) -> Option<DecodeStep> {
        let pays = |id: &&RequestId| self.requests[*id].generated > 0 || self.first_token_pays();
        let (decoding, first): (Vec<&RequestId>, Vec<&RequestId>) =
            ready.iter().partition(|id| pays(id));
        let batch = u32::try_from(decoding.len()).unwrap_or(u32::MAX);
        if batch == 0 {
            return None;
        }
        let tokens: u64 = decoding.iter().map(|id| self.requests[*id].len()).sum();
        let active = u64::from(self.pool.active() - self.held_only_by(&first));
        Some(DecodeStep {
            batch,
            active_kv_tokens: active * self.block_tokens(),
            context: u32::try_from(tokens / u64::from(batch)).unwrap_or(u32::MAX),
            kv_capacity_tokens: u64::from(self.pool.total()) * self.block_tokens(),
        })
    }

    /// Whether a request's first token needs a decode step of its own.
    fn first_token_pays(&self) -> bool {
        self.config.role != Role::Aggregated
            || self.config.speculation.is_some()
            || self.config.quirks.has(Quirk::FirstTokenPaysDecode)
    }

    /// Active blocks that no other request holds.
    fn held_only_by(&self, ids: &[&RequestId]) -> u32 {
        let requests: Vec<&Request> = ids.iter().map(|id| &self.requests[*id]).collect();
        let mut shared: Vec<BlockId> = Vec::new();
        let mut own = 0;
        for request in requests {
            let held = request.alloc.div_ceil(self.block_tokens()) as u32;
            let matched = if self.config.prefix_caching {
                held.min(request.full)
            } else {
                0
            };
            own += held - matched;
            shared.extend((0..matched).map(|index| request.block(index)));
        }
        let distinct: BTreeSet<BlockId> = shared.iter().copied().collect();
        let held_by_them = |block: &BlockId| shared.iter().filter(|one| *one == block).count();
        let only = distinct
            .iter()
            .filter(|block| self.pool.refs(**block) as usize == held_by_them(block));
        own + only.count() as u32
    }

    /// Gives every ready request one token at `report.end`.
    pub(super) fn emit(&mut self, pass: &mut Pass, report: &mut PassReport) {
        for id in self.ready() {
            if self.is_running(id) && self.append_token(id, report) {
                pass.emitted(id, 1);
                self.note_token(id, report);
            }
        }
    }

    /// Whether it has not given way or ended meanwhile.
    fn is_running(&self, id: RequestId) -> bool {
        let request = self.requests.get(&id);
        request.is_some_and(|request| request.status == Status::Running)
    }

    /// Appends a token with its block, with others giving way where blocks
    /// run out. False if the request itself had to.
    fn append_token(&mut self, id: RequestId, report: &mut PassReport) -> bool {
        while !self.grow(id) {
            match self.preempt_one(report) {
                Some(victim) if victim != id => {}
                _ => return false,
            }
        }
        true
    }

    /// Appends a token. False, and nothing changed, if it needs a block and
    /// there is none.
    pub(super) fn grow(&mut self, id: RequestId) -> bool {
        let block_tokens = self.block_tokens();
        let request = &self.requests[&id];
        let length = request.len() + 1;
        if length % block_tokens == 1 && !self.add_block(id) {
            return false;
        }
        if let Some(request) = self.requests.get_mut(&id) {
            request.generated += 1;
            request.alloc = length;
        }
        true
    }

    /// Takes the next block; the partial block before it becomes a full one.
    fn add_block(&mut self, id: RequestId) -> bool {
        if !self.pool.hold_unmatched() {
            return false;
        }
        let request = &self.requests[&id];
        let last = (request.len() / self.block_tokens()) as u32 - 1;
        if last == request.full {
            if self.config.prefix_caching {
                self.pool.promote(request.block(last), request.parent(last));
            }
            if let Some(request) = self.requests.get_mut(&id) {
                request.full += 1;
            }
        }
        true
    }

    /// Reports the token just appended; the last one frees the request's blocks.
    pub(super) fn note_token(&mut self, id: RequestId, report: &mut PassReport) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let before = request.last_token.replace(report.end);
        let last = request.remaining() == 0;
        report.token(id, request.generated, last, before);
        if last {
            self.release_blocks(id);
            self.running.retain(|running| *running != id);
            self.requests.remove(&id);
        }
    }

    /// The decode step of speculative decoding and its bursts of tokens.
    pub(super) fn emit_bursts(
        &mut self,
        decode_start: SimTime,
        pass: &mut Pass,
        report: &mut PassReport,
    ) -> Result<(), StepTimeError> {
        report.end = decode_start;
        let ready = self.reserve_bursts(report);
        let Some(step) = self.decode_inputs(&ready) else {
            return Ok(());
        };
        report.end = decode_start + self.clock.decode(step)?;
        for id in ready {
            let burst = self.sampler.as_mut().map_or(1, BurstSampler::burst);
            let tokens = burst.min(self.requests[&id].remaining());
            pass.emitted(id, tokens);
            for _ in 0..tokens {
                let grown = self.grow(id);
                debug_assert!(grown, "blocks were reserved");
                self.note_token(id, report);
            }
            // The last token of a burst has no KV yet.
            if let Some(request) = self.requests.get_mut(&id) {
                request.computed = request.len() - 1;
            }
        }
        Ok(())
    }

    /// Makes room for the longest bursts, with requests giving way where there
    /// is none. Returns who is ready then.
    fn reserve_bursts(&mut self, report: &mut PassReport) -> Vec<RequestId> {
        loop {
            let ready = self.ready();
            let blocks = ready.iter().map(|id| self.burst_blocks(*id)).sum();
            if self.pool.reserve(blocks) {
                return ready;
            }
            if self.preempt_one(report).is_none() {
                return Vec::new();
            }
        }
    }

    /// Blocks that the longest burst of a request would add.
    fn burst_blocks(&self, id: RequestId) -> u64 {
        let drafts = self
            .config
            .speculation
            .as_ref()
            .map_or(0, Speculation::draft_tokens);
        let request = &self.requests[&id];
        let longest = u64::from((drafts + 1).min(request.remaining()));
        (request.len() + longest).div_ceil(self.block_tokens())
            - request.len().div_ceil(self.block_tokens())
    }
}
