//! The fast vLLM engine equals the literal one on random workloads: to the
//! nanosecond, after every step, in everything that an engine reports.
//!
//! `PROPTEST_CASES` sets the number of cases.

use std::ops::Range;
use std::sync::Arc;

use mocker::{
    Factory, Implementation, ModelMaker, PoolEngines, Preemption, Scheduler, Speculation,
    VllmConfig,
};
use proptest::prelude::*;
use sim_api::{
    Compat, DecodeAxis, Engine, EngineError, EngineFactory, EngineRequest, Feeds, Limit, Pool,
    Prompt, RequestId, Role, Watch, WorkerId,
};
use sim_core::{SimDuration, SimTime};

use crate::log::Log;
use crate::models::TestModel;
use crate::prompts::Interner;

/// Something done to both engines.
#[derive(Clone, Debug)]
enum Step {
    Arrive {
        labels: Vec<u8>,
        tail: u32,
        output: u32,
    },
    AdvanceBefore,
    AdvanceThrough,
    Look(Watch),
}

#[derive(Clone, Debug)]
struct Case {
    config: VllmConfig,
    axis: DecodeAxis,
    feeds: Feeds,
    /// Nanoseconds before each step.
    steps: Vec<(u64, Step)>,
    final_watch: Watch,
}

fn watch() -> impl Strategy<Value = Watch> {
    prop_oneof![
        Just(Watch::PassEnd),
        Just(Watch::FirstTokenOrEnd),
        Just(Watch::Completion)
    ]
}

/// Block size, blocks, seats, budget.
type Limits = (u32, u32, Option<u32>, Option<u32>);

/// Pools, batches and budgets so small that everything runs short.
fn scarce() -> impl Strategy<Value = Limits> {
    (
        prop_oneof![4 => 2_u32..9, 1 => Just(64)],
        prop_oneof![3 => 4_u32..24, 1 => 24_u32..200],
        prop::option::weighted(0.6, 1_u32..7),
        prop_oneof![
            1 => Just(None),
            3 => (1_u32..40).prop_map(Some),
            2 => (40_u32..200).prop_map(Some)
        ],
    )
}

/// Enough for batches of some size, which now and then run short.
fn ample() -> impl Strategy<Value = Limits> {
    (
        prop_oneof![3_u32..20, Just(64)],
        60_u32..300,
        prop::option::weighted(0.4, 8_u32..40),
        prop_oneof![Just(None), (16_u32..400).prop_map(Some)],
    )
}

fn config(limits: impl Strategy<Value = Limits>) -> impl Strategy<Value = VllmConfig> {
    let flags = (
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.75),
        any::<bool>(),
        any::<bool>(),
    );
    let rest = (
        prop_oneof![
            4 => Just(Role::Aggregated),
            1 => Just(Role::Prefill),
            2 => Just(Role::Decode)
        ],
        prop_oneof![Just(1.0), Just(0.0), Just(3.7)],
        prop_oneof![Just(1.0), Just(0.0), Just(2.3)],
    );
    let rate = prop_oneof![2 => Just(0.0), 3 => Just(1.0), 2 => 0.0..1.0];
    let speculation =
        (prop::collection::vec(rate, 1..4), 0_u64..9).prop_map(|(rates, seed)| Speculation {
            accept_rates: rates.into(),
            seed,
        });
    let speculation = prop::option::weighted(0.4, speculation);
    (limits, flags, rest, speculation).prop_map(|(limits, flags, rest, speculation)| VllmConfig {
        role: rest.0,
        block_tokens: limits.0,
        blocks: limits.1,
        max_sequences: limits.2,
        max_batched_tokens: limits.3,
        max_model_tokens: None,
        prefix_caching: flags.0,
        chunked_prefill: flags.1,
        prefill_speedup: rest.1,
        decode_speedup: rest.2,
        preemption: if flags.2 {
            Preemption::Lifo
        } else {
            Preemption::Fifo
        },
        speculation,
        quirks: if flags.3 {
            Compat::V1_2_1.quirks()
        } else {
            Compat::Default.quirks()
        },
    })
}

fn step() -> impl Strategy<Value = Step> {
    let labels = prop::collection::vec(prop_oneof![5 => Just(0_u8), 1 => 1_u8..3], 0..7);
    let output = prop_oneof![2 => Just(1_u32), 8 => 1_u32..12, 4 => 12_u32..60, 1 => 60_u32..700];
    prop_oneof![
        5 => (labels, 0_u32..9, output)
            .prop_map(|(labels, tail, output)| Step::Arrive { labels, tail, output }),
        1 => Just(Step::AdvanceBefore),
        1 => Just(Step::AdvanceThrough),
        1 => watch().prop_map(Step::Look),
    ]
}

fn case(limits: impl Strategy<Value = Limits>, steps: Range<usize>) -> impl Strategy<Value = Case> {
    let delay =
        prop_oneof![3 => Just(0_u64), 3 => 1_u64..2_000_000, 3 => 2_000_000_u64..80_000_000];
    let axis = prop_oneof![
        Just(DecodeAxis::ActiveKv),
        Just(DecodeAxis::Context),
        Just(DecodeAxis::Both)
    ];
    let feeds = (prop::bool::weighted(0.7), prop::bool::weighted(0.7))
        .prop_map(|(passes, kv)| Feeds { passes, kv });
    let steps = prop::collection::vec((delay, step()), steps);
    (config(limits), axis, feeds, steps, watch()).prop_map(
        |(config, axis, feeds, steps, final_watch)| Case {
            config,
            axis,
            feeds,
            steps,
            final_watch,
        },
    )
}

/// Both engines and what they reported since it was last compared.
pub(crate) struct Pair {
    literal: Box<dyn Engine>,
    fast: Box<dyn Engine>,
    literal_log: Log,
    fast_log: Log,
    /// A promise: no outcome of this kind before the instant, unless something arrives.
    promise: Option<(Watch, SimTime)>,
    prompts: Vec<Prompt>,
}

impl Pair {
    /// The two engines of a configuration, not started.
    pub(crate) fn new(config: &VllmConfig, model: &ModelMaker, feeds: Feeds) -> Self {
        let engine = |implementation| {
            let pool = PoolEngines {
                scheduler: Scheduler::Vllm(config.clone()),
                gpus: 1,
                model: Arc::clone(model),
            };
            let factory = Factory::aggregated(pool).with(implementation);
            factory.spawn(Pool::Decode, WorkerId(0), feeds)
        };
        Self {
            literal: engine(Implementation::Literal),
            fast: engine(Implementation::Fast),
            literal_log: Log::default(),
            fast_log: Log::default(),
            promise: None,
            prompts: Vec::new(),
        }
    }

    /// Returns whether the run goes on.
    pub(crate) fn advance(&mut self, limit: Limit) -> Result<bool, TestCaseError> {
        let literal = self.literal.advance(limit, &mut self.literal_log);
        let fast = self.fast.advance(limit, &mut self.fast_log);
        if [&literal, &fast]
            .iter()
            .any(|it| matches!(it, Err(EngineError::NoProgress { .. })))
        {
            // Each may have its own patience.
            return Ok(false);
        }
        prop_assert_eq!(literal, fast, "progress at {:?}", limit);
        if let Some((watch, bound)) = self.promise
            && let Some(first) = self.fast_log.first_watched(watch)
        {
            prop_assert!(
                first >= bound,
                "{:?} at {}, promised {}",
                watch,
                first,
                bound
            );
            self.promise = None;
        }
        self.literal_log.compare_and_clear(&mut self.fast_log)?;
        prop_assert_eq!(self.literal.load(), self.fast.load(), "load at {:?}", limit);
        prop_assert_eq!(self.literal.coverage(), self.fast.coverage());
        for prompt in &self.prompts {
            prop_assert_eq!(
                self.literal.resident_tokens(prompt),
                self.fast.resident_tokens(prompt)
            );
        }
        Ok(true)
    }

    pub(crate) fn accept(
        &mut self,
        now: SimTime,
        request: EngineRequest,
    ) -> Result<(), TestCaseError> {
        self.promise = None;
        if self.prompts.len() < 32 {
            self.prompts.push(request.prompt.clone());
        }
        let literal = self.literal.accept(now, request.clone());
        let fast = self.fast.accept(now, request);
        prop_assert_eq!(literal, fast);
        Ok(())
    }

    fn look(&mut self, watch: Watch) -> Result<Option<SimTime>, TestCaseError> {
        let bound = self.fast.next_visible(watch);
        let bound = bound.map_err(|error| TestCaseError::fail(error.to_string()))?;
        self.promise = Some((watch, bound.unwrap_or(SimTime::MAX)));
        Ok(bound)
    }
}

fn run(case: &Case) -> Result<(), TestCaseError> {
    let axis = case.axis;
    let model: ModelMaker = Arc::new(move || Box::new(TestModel { axis }));
    let mut pair = Pair::new(&case.config, &model, case.feeds);
    let block_tokens = case.config.block_tokens;
    let mut interner = Interner::new(block_tokens);
    let mut now = SimTime::ZERO;
    // Nothing may arrive any more at an instant whose passes were started.
    let mut closed = false;
    for (index, (delay, step)) in case.steps.iter().enumerate() {
        let delay = (*delay).max(u64::from(closed));
        now += SimDuration::from_ns(delay);
        closed = false;
        if !pair.advance(Limit::Before(now))? {
            return Ok(());
        }
        match step {
            Step::AdvanceBefore => {}
            Step::AdvanceThrough => {
                closed = true;
                if !pair.advance(Limit::Through(now))? {
                    return Ok(());
                }
            }
            Step::Look(watch) => {
                closed = true;
                pair.look(*watch)?;
                if !pair.advance(Limit::Through(now))? {
                    return Ok(());
                }
            }
            Step::Arrive {
                labels,
                tail,
                output,
            } => {
                let full = labels.iter().flat_map(|&label| {
                    std::iter::repeat_n(u64::from(label), block_tokens as usize)
                });
                let own = (0..u64::from(tail % block_tokens)).map(|token| 1000 + token);
                let tokens: Vec<u64> = full.chain(own).collect();
                let request = EngineRequest {
                    id: RequestId(index as u32),
                    prompt: interner.prompt(&tokens),
                    output_tokens: *output,
                };
                pair.accept(now, request)?;
            }
        }
    }
    drain(&mut pair, case.final_watch)
}

/// Wakes up at what is promised, until nothing is left.
fn drain(pair: &mut Pair, watch: Watch) -> Result<(), TestCaseError> {
    let mut last = None;
    for _ in 0..200_000 {
        let Some(bound) = pair.look(watch)? else {
            // Whatever is left is nothing that is watched.
            pair.advance(Limit::Through(SimTime::MAX))?;
            prop_assert_eq!(pair.fast.load().running + pair.fast.load().waiting, 0);
            return Ok(());
        };
        prop_assert!(
            last.is_none_or(|last| bound >= last),
            "the bound moved back"
        );
        last = Some(bound);
        if !pair.advance(Limit::Through(bound))? {
            return Ok(());
        }
    }
    Err(TestCaseError::fail("no end"))
}

fn settings(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: wanted.and_then(|cases| cases.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

#[test]
fn fast_equals_literal_when_everything_runs_short() {
    proptest!(settings(8000), |(case in case(scarce(), 1..24))| run(&case)?);
}

#[test]
fn fast_equals_literal_with_many_requests() {
    proptest!(settings(1000), |(case in case(ample(), 20..120))| run(&case)?);
}
