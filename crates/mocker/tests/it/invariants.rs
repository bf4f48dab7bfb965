//! What holds for every workload, whatever the numbers.

use std::collections::BTreeMap;

use mocker::{
    Implementation, Preemption, SchedulePolicy, Scheduler, SglangConfig, Speculation, VllmConfig,
};
use proptest::prelude::*;
use sim_api::{
    Compat, EngineError, KvChange, PassRecord, Quirk, RequestId, Role, SegmentId, Watch,
};
use sim_core::SimTime;

use crate::driver::{Arriving, Workers};
use crate::prompts::Interner;

/// Gap to the request before in ns, block labels, extra tokens, output tokens.
type Row = (u64, Vec<u64>, u32, u32);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let gap = prop_oneof![Just(0), 0_u64..60_000_000];
    let row = (
        gap,
        prop::collection::vec(0_u64..3, 0..6),
        0_u32..8,
        1_u32..20,
    );
    prop::collection::vec(row, 1..14)
}

fn arrivals(rows: &[Row], block_tokens: u32) -> Vec<(RequestId, Arriving)> {
    let mut interner = Interner::new(block_tokens);
    let mut now = 0;
    let arriving = |(number, (gap, labels, extra, output)): (u32, &Row)| {
        now += gap;
        let shared = labels
            .iter()
            .flat_map(|&label| std::iter::repeat_n(label, block_tokens as usize));
        let own = (0..*extra).map(|token| 1000 + u64::from(number) * 100 + u64::from(token));
        let tokens: Vec<u64> = shared.chain(own).collect();
        let arriving = Arriving {
            at: SimTime::from_ns(now),
            prompt: interner.prompt(&tokens),
            output_tokens: *output,
        };
        (RequestId(number), arriving)
    };
    (0..).zip(rows).map(arriving).collect()
}

fn config() -> impl Strategy<Value = VllmConfig> {
    let sizes = (
        2_u32..6,
        3_u32..24,
        prop::option::of(1_u32..5),
        prop::option::of(1_u32..20),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rates = prop::option::of(prop::collection::vec(0.0..=1.0_f64, 1..4));
    let role = prop_oneof![3 => Just(Role::Aggregated), 1 => Just(Role::Decode)];
    (sizes, flags, rates, role).prop_map(|(sizes, flags, rates, role)| VllmConfig {
        role,
        block_tokens: sizes.0,
        blocks: sizes.1,
        max_sequences: sizes.2,
        max_batched_tokens: sizes.3,
        max_model_tokens: None,
        prefix_caching: flags.0,
        chunked_prefill: flags.1,
        prefill_speedup: 1.0,
        decode_speedup: 1.0,
        preemption: if flags.2 {
            Preemption::Lifo
        } else {
            Preemption::Fifo
        },
        speculation: rates.map(|rates| Speculation {
            accept_rates: rates.into(),
            seed: 42,
        }),
        quirks: if flags.3 {
            Compat::V1_2_1
        } else {
            Compat::Default
        }
        .quirks(),
    })
}

/// The workers after the run and who was turned away; an error where requests
/// preempted each other for ever.
fn run(
    scheduler: Scheduler,
    arrivals: &[(RequestId, Arriving)],
) -> Result<(Workers, Vec<RequestId>), EngineError> {
    let mut workers = Workers::new(scheduler, Implementation::Literal, 1);
    let rejected = workers.run(arrivals)?.into_iter();
    Ok((workers, rejected.map(|(id, _)| id).collect()))
}

/// Every accepted request gets its tokens once, in order, none before it came.
fn check_ends(
    workers: &Workers,
    rejected: &[RequestId],
    arrivals: &[(RequestId, Arriving)],
) -> Result<(), TestCaseError> {
    let told = &workers.told[0];
    let mut gaps = 0;
    for (id, arriving) in arrivals {
        if rejected.contains(id) {
            prop_assert!(!told.stories.contains_key(&id.0));
            continue;
        }
        let story = workers.story(id.0);
        prop_assert_eq!(story.completed.len(), 1);
        let last = story.completed[0];
        let first = story.first.unwrap();
        prop_assert!(arriving.at <= story.admissions[0].0);
        prop_assert!(story.admissions[0].0 <= first && first <= last);
        prop_assert_eq!(story.second.is_some(), arriving.output_tokens > 1);
        prop_assert!(story.second.is_none_or(|at| first <= at && at <= last));
        for (turn, (_, cached, again)) in story.admissions.iter().enumerate() {
            prop_assert_eq!(*again, turn > 0);
            prop_assert!(*cached <= arriving.prompt.tokens());
        }
        gaps += arriving.output_tokens as usize - 1;
    }
    prop_assert_eq!(told.gaps.len(), gaps);
    Ok(())
}

/// A pass begins when the one before has ended, or later.
fn check_passes(workers: &Workers) -> Result<(), TestCaseError> {
    let passes = &workers.told[0].passes;
    for pair in passes.windows(2) {
        prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0);
    }
    Ok(())
}

fn sglang_config() -> impl Strategy<Value = SglangConfig> {
    let sizes = (1_u32..6, 4_u32..40, 1_u32..40, 1_u32..40, 1_u32..20);
    let rest = (any::<bool>(), 0.0..=1.0_f64, any::<bool>());
    (sizes, rest).prop_map(|(sizes, rest)| SglangConfig {
        role: Role::Aggregated,
        page_tokens: sizes.0,
        pages: sizes.1,
        max_batched_tokens: None,
        max_model_tokens: None,
        policy: if rest.0 {
            SchedulePolicy::Lpm
        } else {
            SchedulePolicy::Fifo
        },
        max_prefill_tokens: sizes.2,
        chunked_prefill_tokens: sizes.3,
        clip_max_new_tokens: sizes.4,
        conservativeness: rest.1,
        prefill_speedup: 1.0,
        decode_speedup: 1.0,
        quirks: if rest.2 {
            Compat::V1_2_1
        } else {
            Compat::Default
        }
        .quirks(),
    })
}

/// Reports of the cache make sense one after the other: what is said to be
/// removed was there.
fn check_kv(workers: &Workers) -> Result<(), TestCaseError> {
    let mut resident: BTreeMap<SegmentId, u32> = BTreeMap::new();
    for (_, change) in &workers.told[0].kv {
        match *change {
            KvChange::Stored { run } => {
                let before = resident.insert(run.segment, run.blocks).unwrap_or(0);
                prop_assert!(before < run.blocks);
            }
            KvChange::Removed { run, keep } => {
                prop_assert!(keep < run.blocks);
                prop_assert_eq!(resident.insert(run.segment, keep), Some(run.blocks));
            }
        }
    }
    Ok(())
}

fn any_scheduler() -> impl Strategy<Value = (Scheduler, u32)> {
    prop_oneof![
        config().prop_map(|config| (config.block_tokens, Scheduler::Vllm(config))),
        sglang_config().prop_map(|config| (config.page_tokens, Scheduler::Sglang(config))),
    ]
    .prop_map(|(block_tokens, scheduler)| (scheduler, block_tokens))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn every_vllm_request_ends_exactly_once(config in config(), rows in rows()) {
        let arrivals = arrivals(&rows, config.block_tokens);
        let scheduler = Scheduler::Vllm(config);
        let (workers, rejected) = match run(scheduler.clone(), &arrivals) {
            Ok(ran) => ran,
            Err(error) => {
                let stuck = matches!(error, EngineError::NoProgress { .. });
                prop_assert!(stuck, "{error}");
                return Ok(());
            }
        };
        check_ends(&workers, &rejected, &arrivals)?;
        for story in workers.told[0].stories.values() {
            prop_assert_eq!(story.admissions.len(), story.preemptions.len() + 1);
        }
        check_passes(&workers)?;
        check_kv(&workers)?;
        let (again, _) = run(scheduler, &arrivals).unwrap();
        prop_assert_eq!(&workers.told, &again.told);
    }

    /// Entries that stay in the queue are seen in the metrics and nowhere else.
    #[test]
    fn stale_queue_entries_change_queue_counts_only(config in config(), rows in rows()) {
        let arrivals = arrivals(&rows, config.block_tokens);
        let with = |quirks| Scheduler::Vllm(VllmConfig { quirks, ..config.clone() });
        let quirks = config.quirks.without(Quirk::StaleQueueEntries);
        let clean = run(with(quirks), &arrivals);
        let stale = run(with(quirks.with(Quirk::StaleQueueEntries)), &arrivals);
        let (Ok((clean, _)), Ok((stale, _))) = (clean, stale) else {
            return Ok(());
        };
        let (clean, stale) = (&clean.told[0], &stale.told[0]);
        prop_assert_eq!(&clean.stories, &stale.stories);
        prop_assert_eq!(&clean.gaps, &stale.gaps);
        for (clean, stale) in clean.passes.iter().zip(&stale.passes) {
            prop_assert!(clean.2.queued_decode.count <= stale.2.queued_decode.count);
            let queue_aside = PassRecord { queued_decode: clean.2.queued_decode, ..stale.2 };
            prop_assert_eq!(clean.2, queue_aside);
        }
    }

    #[test]
    fn every_sglang_request_ends_exactly_once(config in sglang_config(), rows in rows()) {
        let arrivals = arrivals(&rows, config.page_tokens);
        let scheduler = Scheduler::Sglang(config);
        let (workers, rejected) = run(scheduler.clone(), &arrivals).unwrap();
        check_ends(&workers, &rejected, &arrivals)?;
        check_passes(&workers)?;
        check_kv(&workers)?;
        let (again, _) = run(scheduler, &arrivals).unwrap();
        prop_assert_eq!(&workers.told, &again.told);
    }

    #[test]
    fn looking_changes_nothing(
        (scheduler, block_tokens) in any_scheduler(),
        rows in rows(),
        watches in prop::collection::vec(0_usize..3, 14),
    ) {
        let arrivals = arrivals(&rows, block_tokens);
        let Ok((plain, _)) = run(scheduler.clone(), &arrivals) else {
            return Ok(());
        };
        let mut looked = Workers::new(scheduler, Implementation::Literal, 1);
        for (number, (pair, watch)) in arrivals.iter().zip(watches).enumerate() {
            let next = arrivals.get(number + 1).map(|(_, next)| next.at);
            looked.give_to(0, pair).unwrap();
            // Never at the instant of an arrival, which would have to wait then.
            let between = SimTime::from_ns(pair.1.at.as_ns() + 7_000_000);
            if next.is_none_or(|next| between < next) {
                let watch = [Watch::PassEnd, Watch::FirstTokenOrEnd, Watch::Completion][watch];
                looked.look(between, watch).unwrap();
            }
        }
        looked.finish().unwrap();
        prop_assert_eq!(&plain.told, &looked.told);
    }
}
