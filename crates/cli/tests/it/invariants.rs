//! Invariants of whole runs, numbered as in `docs/INVARIANTS.md`.

use std::collections::BTreeMap;

use dynosim::{Extras, Plan};
use proptest::prelude::*;
use serde_json::{Value, json};
use sim_api::{Arrival, Observer, Rejection, RequestId, Stamp, WorkerRef};
use sim_core::SimTime;

use crate::fixtures::trace_file;

/// What became of each request.
#[derive(Default)]
struct Fates {
    arrived: BTreeMap<u32, SimTime>,
    first: BTreeMap<u32, SimTime>,
    ended: BTreeMap<u32, Vec<SimTime>>,
    rejected: BTreeMap<u32, u32>,
}

impl Observer for Fates {
    fn arrived(&mut self, arrival: &Arrival) {
        self.arrived.insert(arrival.id.0, arrival.at);
    }
    fn rejected(&mut self, _at: SimTime, request: RequestId, _why: Rejection) {
        *self.rejected.entry(request.0).or_default() += 1;
    }
    fn first_token(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.first.insert(request.0, stamp.at);
    }
    fn completed(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.ended.entry(request.0).or_default().push(stamp.at);
    }
}

fn row() -> impl Strategy<Value = Value> {
    (0_u32..2000, 1_u32..200, 0_u32..40, 0_u64..4, 0_u64..3).prop_map(
        |(timestamp, input, output, prefix, tail)| {
            json!({
                "timestamp": timestamp,
                "input_length": input,
                "output_length": output,
                "hash_ids": (0..input.div_ceil(16)).map(|i| if u64::from(i) < prefix { u64::from(i) } else { 1000 + tail * 100 + u64::from(i) }).collect::<Vec<u64>>(),
            })
        },
    )
}

fn deployment() -> impl Strategy<Value = Vec<String>> {
    let engine = (
        2_u32..20,
        20_u32..80,
        1_u32..6,
        8_u32..200,
        any::<bool>(),
        any::<bool>(),
    );
    let compat = prop::sample::select(vec!["1.2.1", "default"]);
    (engine, 1_u32..4, prop::option::of(1_u32..6), compat).prop_map(
        |((block, blocks, seats, budget, caching, chunking), workers, cap, compat)| {
            let engine = json!({
                "block_size": block, "num_gpu_blocks": blocks, "max_num_seqs": seats,
                "max_num_batched_tokens": budget, "enable_prefix_caching": caching,
                "enable_chunked_prefill": chunking,
            });
            let mut flags = vec![
                "--extra-engine-args".to_owned(),
                engine.to_string(),
                "--num-workers".to_owned(),
                workers.to_string(),
                "--trace-block-size".to_owned(),
                "16".to_owned(),
                "--compat".to_owned(),
                compat.to_owned(),
            ];
            if let Some(cap) = cap {
                flags.extend(["--replay-concurrency".to_owned(), cap.to_string()]);
            }
            flags
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// I1: every arrival ends completed, rejected or unfinished, exactly once.
    /// I2: no token before its request, no completion before its first token.
    /// I3: the same run twice has the same digest; so has the literal engine.
    #[test]
    fn every_request_ends_once_and_in_order(
        rows in prop::collection::vec(row(), 1..25),
        flags in deployment(),
    ) {
        let (_folder, path) = trace_file(&rows);
        let all: Vec<&str> = std::iter::once(path.as_str()).chain(flags.iter().map(String::as_str)).collect();
        let plan = Plan::from_flags(all).unwrap();
        let mut fates = Fates::default();
        let extras = Extras { observer: Some(&mut fates), digest: true, ..Extras::default() };
        let finished = match plan.run(extras) {
            Ok(finished) => finished,
            // In tiny pools requests can preempt each other for ever; the run then says so.
            Err(failure) => {
                prop_assert!(failure.to_string().contains("keep preempting"), "{}", failure);
                return Ok(());
            }
        };
        prop_assert_eq!(fates.arrived.len(), rows.len());
        for (id, arrived) in &fates.arrived {
            let ended = fates.ended.get(id).map_or(0, Vec::len);
            let rejected = fates.rejected.get(id).copied().unwrap_or(0) as usize;
            prop_assert_eq!(ended + rejected, 1, "request {}", id);
            if ended == 1 {
                let first = fates.first[id];
                prop_assert!(*arrived <= first && first <= fates.ended[id][0]);
            }
        }
        prop_assert_eq!(finished.summary.unfinished, 0);
        let again = plan.run(Extras { digest: true, ..Extras::default() }).unwrap();
        prop_assert_eq!(finished.digest, again.digest);
        let literal = plan.literal().run(Extras { digest: true, ..Extras::default() }).unwrap();
        prop_assert_eq!(finished.digest, literal.digest);
    }
}
