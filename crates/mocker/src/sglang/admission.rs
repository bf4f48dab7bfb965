//! Which waiting requests a pass takes in, and how much of their prompts.

use std::cmp::Reverse;

use sim_api::Quirk;

use crate::config::SchedulePolicy;
use crate::stepped::PassReport;

use super::pages::Pages;
use super::radix_tree::NodeId;
use super::request::Request;
use super::scheduler::{Prefills, Sglang};

/// Longer queues are not sorted.
const MAX_SORTED_QUEUE: usize = 128;
/// A prompt with no longer cached prefix may wait for one like it.
const SHORT_PREFIX_TOKENS: u64 = 32;
/// What it must have in common with a request before it.
const COMMON_PREFIX_TOKENS: u64 = 32;

/// What a pass may still take in.
struct Limits {
    /// Slots left by the reserve test.
    total: f64,
    prefill: u64,
    chunk: u64,
}

/// What came of trying to admit the first request in line.
enum Attempt {
    Admitted,
    Stop,
}

impl Sglang {
    /// Takes waiting requests in, in order, while the limits last.
    pub(super) fn admit(&mut self, report: &mut PassReport) -> Prefills {
        self.sort_waiting();
        let mut prefills = Prefills::default();
        let mut unfinished = Vec::new();
        let mut limits = self.limits();
        while !self.waiting.is_empty() && limits.chunk > 0 {
            match self.admit_first(&mut limits, &mut prefills, &mut unfinished, report) {
                Attempt::Admitted => {}
                Attempt::Stop => break,
            }
        }
        if prefills.batch == 0 && self.running.is_empty() && !self.waiting.is_empty() {
            self.admit_regardless(&mut prefills, &mut unfinished, report);
        }
        for mut request in unfinished {
            self.cache_pages(&mut request);
            self.waiting.push_front(request);
        }
        prefills
    }

    fn limits(&self) -> Limits {
        let available = self.free + self.tree.evictable_tokens();
        let future: f64 = self
            .running
            .iter()
            .map(|request| request.future(self.config.clip_max_new_tokens) as f64 * self.reserve)
            .sum();
        Limits {
            total: available.saturating_sub(self.slack) as f64 - future,
            prefill: u64::from(self.config.max_prefill_tokens),
            chunk: u64::from(self.config.chunked_prefill_tokens),
        }
    }

    fn admit_first(
        &mut self,
        limits: &mut Limits,
        prefills: &mut Prefills,
        unfinished: &mut Vec<Request>,
        report: &mut PassReport,
    ) -> Attempt {
        let page = self.page_tokens();
        let Some(request) = self.waiting.front() else {
            return Attempt::Stop;
        };
        let missing = request.missing();
        let future = request.future(self.config.clip_max_new_tokens);
        if missing == 0 || (missing + future) as f64 >= limits.total {
            return Attempt::Stop;
        }
        let chunk = if missing <= u64::from(self.config.chunked_prefill_tokens) {
            missing
        } else {
            missing.min(limits.chunk / page * page)
        };
        let cost = chunk.div_ceil(page) * page;
        if chunk == 0 || cost > limits.prefill || cost > limits.chunk {
            return Attempt::Stop;
        }
        let reserved_before = request.reserved;
        let Some(request) = self.take_chunk(chunk, prefills, report) else {
            self.reserve_was_short = true;
            return Attempt::Stop;
        };
        let finishes = request.missing() == 0;
        let reserved = request.reserved - reserved_before;
        limits.total -= (reserved + if finishes { future } else { 0 }) as f64;
        limits.prefill -= cost;
        limits.chunk -= cost;
        self.place(request, unfinished);
        Attempt::Admitted
    }

    /// Gives the first request in line slots for `chunk` more tokens and takes
    /// it out of the queue; `None` if there are not that many slots.
    fn take_chunk(
        &mut self,
        chunk: u64,
        prefills: &mut Prefills,
        report: &mut PassReport,
    ) -> Option<Request> {
        let page = self.page_tokens();
        self.make_room(chunk);
        let mut request = self.waiting.pop_front()?;
        let continues = request.computed > 0;
        let reached = request.computed + chunk;
        let before = if continues {
            request.computed
        } else {
            let (node, matched) = self.tree.match_prefix(&request.pages(0, reached / page));
            request.node = node;
            matched * page
        };
        if self.free < reached - before {
            self.waiting.push_front(request);
            return None;
        }
        self.free -= reached - before;
        if !continues {
            self.tree.lock(NodeId::ROOT, request.node);
            request.cached = before;
        }
        self.slack -= request.slack();
        request.computed = reached;
        request.reserved = reached.div_ceil(page) * page;
        self.slack += request.slack();
        request.prefilling = true;
        self.report_admission(&mut request, before, continues, report);
        prefills.batch += 1;
        prefills.reached += reached;
        prefills.prefixes += before;
        report.record.prefill_lengths.add(request.prompt_tokens);
        report.record.prefill_tokens += reached - before;
        report.record.prefill_kv_tokens += before;
        Some(request)
    }

    /// A later chunk is an admission only where the reference's reuse ratio,
    /// which counts earlier chunks as reused, is asked for.
    fn report_admission(
        &self,
        request: &mut Request,
        before: u64,
        continues: bool,
        report: &mut PassReport,
    ) {
        let again = std::mem::replace(&mut request.admitted_before, true);
        if !continues || self.config.quirks.has(Quirk::ReuseIsMaximum) {
            let cached = before.min(request.prompt_tokens);
            report.admitted(request.id, cached as u32, again);
        }
    }

    /// A request whose prompt is complete runs, another waits for its next chunk.
    fn place(&mut self, request: Request, unfinished: &mut Vec<Request>) {
        if request.missing() == 0 {
            self.running.push(request);
        } else {
            unfinished.push(request);
        }
    }

    /// Nobody runs and the tests admitted nobody, so that they never would:
    /// the first in line is admitted without them, in a chunk that fits the
    /// limits, at least a page.
    fn admit_regardless(
        &mut self,
        prefills: &mut Prefills,
        unfinished: &mut Vec<Request>,
        report: &mut PassReport,
    ) {
        let page = self.page_tokens();
        let limit = self
            .config
            .max_prefill_tokens
            .min(self.config.chunked_prefill_tokens);
        let limit = (u64::from(limit) / page * page).max(page);
        let Some(request) = self.waiting.front() else {
            return;
        };
        let chunk = request.missing().min(limit);
        loop {
            if let Some(request) = self.take_chunk(chunk, prefills, report) {
                self.place(request, unfinished);
                return;
            }
            if !self.release_last_waiting(1) {
                return;
            }
        }
    }

    /// The last waiting request behind the first `keep` that holds slots gives
    /// them up. False if there is none.
    pub(super) fn release_last_waiting(&mut self, keep: usize) -> bool {
        let mut queue = std::mem::take(&mut self.waiting);
        let holder = queue.last_holder(keep);
        let found = holder.is_some();
        if let Some(request) = holder {
            self.release(request);
        }
        self.waiting = queue;
        found
    }

    /// Longest cached prefix first, if the policy says so.
    fn sort_waiting(&mut self) {
        if self.config.policy != SchedulePolicy::Lpm || self.waiting.len() > MAX_SORTED_QUEUE {
            return;
        }
        let page = self.page_tokens();
        let mut leaders: Vec<Pages> = Vec::new();
        let tree = &mut self.tree;
        self.waiting.reorder(|requests| {
            for request in requests.iter_mut() {
                let pages = request.pages(0, request.len() / page);
                let cached = tree.match_prefix(&pages).1 * page;
                let common = |leader: &Pages| leader.common(&pages) * page;
                let alone = cached <= SHORT_PREFIX_TOKENS;
                let like = |leader: &Pages| common(leader) >= COMMON_PREFIX_TOKENS;
                let deferred = alone && leaders.iter().any(like);
                if alone && !deferred {
                    leaders.push(pages);
                }
                request.rank = (deferred, Reverse(cached));
            }
            requests.sort_by_key(|request| request.rank);
        });
    }
}
