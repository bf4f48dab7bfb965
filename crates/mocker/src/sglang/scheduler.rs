//! The SGLang engine's state and its pass, step by step.

use sim_api::{
    CoverageTally, DecodeStep, EngineRequest, Feeds, PassRecord, PrefillStep, Prompt, Rejection,
    Role, StepTimeError, StepTimeModel, WorkerLoad,
};
use sim_core::SimDuration;

use crate::config::SglangConfig;
use crate::step_clock::StepClock;
use crate::stepped::{PassReport, PassScheduler, Stepped};

use super::pages::Pages;
use super::queue::Queue;
use super::radix_tree::{NodeId, RadixTree};
use super::request::Request;

/// How fast the reserve for running requests falls, in passes from its
/// beginning to its end.
const RESERVE_DECAY_PASSES: f64 = 600.0;
/// The reserve at its beginning, and its end as a share of that.
const RESERVE_START: f64 = 0.7;
const RESERVE_FLOOR: f64 = 0.14;

/// An SGLang worker.
pub(crate) struct Sglang {
    pub(super) config: SglangConfig,
    clock: StepClock,
    /// Token slots that nothing uses.
    pub(super) free: u64,
    pub(super) tree: RadixTree,
    pub(super) waiting: Queue,
    /// Reserved slots that are not used yet, of all requests.
    pub(super) slack: u64,
    pub(super) running: Vec<Request>,
    /// Share of the running requests' future output that admission leaves free.
    pub(super) reserve: f64,
    /// Whether the reserve goes back to its beginning after this pass.
    pub(super) reserve_was_short: bool,
}

/// What a pass prefills.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prefills {
    pub(super) batch: u32,
    /// Σ tokens reached.
    pub(super) reached: u64,
    /// Σ tokens there were before.
    pub(super) prefixes: u64,
}

impl Sglang {
    /// An empty worker.
    pub(crate) fn engine(
        config: SglangConfig,
        model: Box<dyn StepTimeModel>,
        feeds: Feeds,
    ) -> Stepped<Self> {
        Stepped::new(Self::new(config, model), feeds, false)
    }

    fn new(config: SglangConfig, model: Box<dyn StepTimeModel>) -> Self {
        Self {
            clock: StepClock::new(model, config.prefill_speedup, config.decode_speedup),
            free: u64::from(config.pages) * u64::from(config.page_tokens),
            tree: RadixTree::new(config.page_tokens),
            waiting: Queue::default(),
            slack: 0,
            running: Vec::new(),
            reserve: RESERVE_START * config.conservativeness,
            reserve_was_short: false,
            config,
        }
    }

    pub(super) fn page_tokens(&self) -> u64 {
        u64::from(self.config.page_tokens)
    }

    fn capacity(&self) -> u64 {
        u64::from(self.config.pages) * self.page_tokens()
    }

    /// Sees to it that at least `tokens` slots are free, if the tree can give them.
    pub(super) fn make_room(&mut self, tokens: u64) {
        if self.free < tokens {
            self.free += self.tree.evict(tokens - self.free);
        }
    }

    /// Adds the whole pages of a request that have slots to the tree, which
    /// locks them. Pages that another request added meanwhile are shared.
    pub(super) fn cache_pages(&mut self, request: &mut Request) {
        let page_tokens = self.page_tokens();
        let (from, to) = (request.cached / page_tokens, request.computed / page_tokens);
        if to <= from {
            return;
        }
        let (node, existing) = self.tree.insert(request.node, &request.pages(from, to));
        self.free += existing * page_tokens;
        self.tree.lock(request.node, node);
        request.node = node;
        request.cached = to * page_tokens;
    }

    /// Takes all slots of a request back; its cached pages stay in the tree.
    pub(super) fn release(&mut self, request: &mut Request) {
        self.free += request.own();
        self.slack -= request.slack();
        self.tree.unlock(request.node);
        request.node = NodeId::ROOT;
        request.computed = 0;
        request.cached = 0;
        request.reserved = 0;
    }

    fn prefill_time(&mut self, prefills: Prefills) -> Result<SimDuration, StepTimeError> {
        if prefills.batch == 0 || self.config.role == Role::Decode {
            return Ok(SimDuration::ZERO);
        }
        let mean = |sum: u64| (sum / u64::from(prefills.batch)) as u32;
        let step = PrefillStep {
            batch: prefills.batch,
            isl: mean(prefills.reached),
            prefix: mean(prefills.prefixes),
        };
        match self.clock.prefill(step) {
            // A wholly cached batch. Models of real kernels have no time for
            // it: the last token is computed again, as the engine does.
            Err(_) if step.prefix > 0 && step.prefix >= step.isl => {
                self.clock.prefill(PrefillStep {
                    prefix: step.isl.saturating_sub(1),
                    ..step
                })
            }
            answer => answer,
        }
    }

    fn decode_time(&mut self) -> Result<SimDuration, StepTimeError> {
        let batch = self.running.len() as u64;
        if batch == 0 {
            return Ok(SimDuration::ZERO);
        }
        let tokens: u64 = self.running.iter().map(Request::len).sum();
        self.clock.decode(DecodeStep {
            batch: batch as u32,
            active_kv_tokens: tokens.min(self.capacity()),
            context: (tokens / batch) as u32,
            kv_capacity_tokens: self.capacity(),
        })
    }

    /// The reserve falls a little every pass until it was too small.
    fn update_reserve(&mut self) {
        let start = RESERVE_START * self.config.conservativeness;
        let floor = RESERVE_FLOOR * start;
        if std::mem::take(&mut self.reserve_was_short) {
            self.reserve = start;
        }
        self.reserve = (self.reserve - (start - floor) / RESERVE_DECAY_PASSES).max(floor);
    }

    /// Requests that decode go into the metrics of the pass.
    fn count_decoding(&self, record: &mut PassRecord) {
        for request in self.running.iter().filter(|request| !request.prefilling) {
            record.decode_contexts.add(request.len());
        }
    }

    fn assert_slots_add_up(&self) {
        let own: u64 = self
            .waiting
            .iter()
            .chain(&self.running)
            .map(Request::own)
            .sum();
        debug_assert_eq!(self.free + self.tree.tokens() + own, self.capacity());
    }
}

impl PassScheduler for Sglang {
    fn accept(&mut self, request: EngineRequest) -> Result<(), Rejection> {
        let (input, output) = (request.prompt.tokens(), request.output_tokens);
        let output = self.config.limits().admit(input, output)?;
        self.waiting
            .push_back(Request::new(&request, output, self.config.page_tokens));
        Ok(())
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.running.is_empty()
    }

    fn pass(&mut self, report: &mut PassReport) -> Result<(), StepTimeError> {
        let prefills = self.admit(report);
        let decode_start = report.start + self.prefill_time(prefills)?;
        report.end = decode_start + self.decode_time()?;
        self.count_decoding(&mut report.record);
        self.decode(report);
        self.update_reserve();
        report.record.queued_prefill = self.waiting.new_prompts();
        report.record.queued_decode = self.waiting.retracted_contexts();
        report.kv = self.tree.take_changes();
        if cfg!(debug_assertions) {
            self.assert_slots_add_up();
        }
        Ok(())
    }

    fn patience(&self) -> u64 {
        let page = self.page_tokens();
        let passes = |request: &Request| 1 + request.len().div_ceil(page);
        let requests = self.waiting.iter().chain(&self.running);
        16 * requests.map(passes).sum::<u64>()
    }

    fn load(&self) -> WorkerLoad {
        let inactive = self.tree.unlocked_pages();
        let used = self.capacity() - self.free - inactive * self.page_tokens();
        WorkerLoad {
            waiting: self.waiting.len() as u32,
            running: self.running.len() as u32,
            active_blocks: used.div_ceil(self.page_tokens()) as u32,
            inactive_blocks: inactive as u32,
            total_blocks: self.config.pages,
        }
    }

    fn resident_tokens(&self, prompt: &Prompt) -> u32 {
        let tokens = self.tree.peek(&Pages::of_prompt(prompt)) * self.page_tokens();
        tokens.min(u64::from(prompt.tokens())) as u32
    }

    fn coverage(&self) -> CoverageTally {
        self.clock.coverage()
    }
}
