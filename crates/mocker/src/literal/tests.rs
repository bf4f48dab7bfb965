//! Conservation of blocks, looked at from inside after every pass.

use proptest::prelude::*;
use sim_api::{
    Coverage, DecodeAxis, DecodeStep, EngineRequest, Feeds, KvRun, PrefillStep, Prompt, Quirks,
    RequestId, Role, SegmentId, StepTime, StepTimeError, StepTimeModel, WorkerId,
};
use sim_core::SimTime;

use crate::config::{Preemption, Speculation, VllmConfig};
use crate::stepped::{PassReport, PassScheduler};

use super::vllm::LiteralVllm;

/// Every step takes a millisecond.
struct Even;

const STEP: StepTime = StepTime {
    ms: 1.0,
    coverage: Coverage::Formula,
};

impl StepTimeModel for Even {
    fn prefill(&mut self, _step: PrefillStep) -> Result<StepTime, StepTimeError> {
        Ok(STEP)
    }

    fn decode(&mut self, _step: DecodeStep) -> Result<StepTime, StepTimeError> {
        Ok(STEP)
    }

    fn decode_axis(&self) -> DecodeAxis {
        DecodeAxis::Both
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_block_is_lost_or_found(
        blocks in 4_u32..20,
        budget in prop::option::of(1_u32..12),
        caching: bool,
        fifo: bool,
        drafts in 0_usize..4,
        // Pass of arrival, segment, blocks of it, extra tokens, output tokens.
        requests in prop::collection::vec((0_usize..30, 0_u32..3, 0_u32..5, 1_u32..6, 1_u32..15), 1..10),
    ) {
        let config = VllmConfig {
            role: Role::Aggregated,
            block_tokens: 3,
            blocks,
            max_sequences: None,
            max_batched_tokens: budget,
            max_model_tokens: None,
            prefix_caching: caching,
            chunked_prefill: true,
            prefill_speedup: 1.0,
            decode_speedup: 1.0,
            preemption: if fifo { Preemption::Fifo } else { Preemption::Lifo },
            speculation: (drafts > 0).then(|| Speculation {
                accept_rates: vec![0.5; drafts].into(),
                seed: 1,
            }),
            quirks: Quirks::NONE,
        };
        let mut engine = LiteralVllm::new(config, WorkerId(0), Box::new(Even));
        let feeds = Feeds { passes: true, kv: true };
        let (mut pass, mut without_token) = (0, 0);
        while pass <= 30 || engine.has_work() {
            for (id, &(_, segment, shared, extra, output_tokens)) in
                (0..).zip(&requests).filter(|(_, request)| request.0 == pass)
            {
                let run = KvRun { segment: SegmentId(segment), blocks: shared + extra / 3 };
                let runs: Vec<KvRun> = Some(run).filter(|run| run.blocks > 0).into_iter().collect();
                let prompt = Prompt::new(shared * 3 + extra, runs.into());
                // Requests that could never run are turned away.
                let _ = engine.accept(EngineRequest { id: RequestId(id), prompt, output_tokens });
            }
            let mut report = PassReport::new(SimTime::ZERO, feeds);
            engine.pass(&mut report).unwrap();
            engine.assert_blocks_add_up();
            pass += 1;
            without_token = if report.has_tokens() { 0 } else { without_token + 1 };
            // Requests that preempt each other for ever, which the shell ends.
            if without_token > 100 + engine.patience() {
                return Ok(());
            }
        }
        prop_assert_eq!(engine.load().active_blocks, 0);
    }
}
