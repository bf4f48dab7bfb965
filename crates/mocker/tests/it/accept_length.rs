//! The planner guide's case of speculative decoding: two certain drafts over 64
//! tokens make 22 forwards, as the last burst is partial.

use mocker::{Implementation, ParsedArgs};
use serde_json::json;
use sim_api::{PassRecord, Quirks, RequestId, Role};
use sim_core::SimTime;

use crate::driver::{Arriving, Workers, scheduler};
use crate::prompts::Interner;

/// Passes of one request alone, and its decode forwards with the tokens they
/// made visible.
fn forwards(implementation: Implementation, role: Role) -> (usize, (u64, u64)) {
    let args = json!({"aic_nextn": 2, "aic_nextn_accept_rates": "1,1", "block_size": 16});
    let config = ParsedArgs::from_value(&args, Quirks::NONE).unwrap().config;
    let scheduler = scheduler(&config, role, Quirks::NONE);
    let mut workers = Workers::new(scheduler, implementation, 1);
    let tokens: Vec<u64> = (0..64).collect();
    let arriving = Arriving {
        at: SimTime::ZERO,
        prompt: Interner::new(16).prompt(&tokens),
        output_tokens: 64,
    };
    assert_eq!(workers.run(&[(RequestId(0), arriving)]), Ok(Vec::new()));
    let passes = &workers.told[0].passes;
    let sum = |figure: fn(&PassRecord) -> u64| passes.iter().map(|pass| figure(&pass.2)).sum();
    let decodes = (
        sum(|record| record.decode_forwards),
        sum(|record| record.decode_tokens),
    );
    (passes.len(), decodes)
}

#[test]
fn sixty_four_tokens_take_22_forwards_of_which_the_last_is_partial() {
    for implementation in [Implementation::default(), Implementation::Literal] {
        for role in [Role::Aggregated, Role::Decode] {
            let (passes, decodes) = forwards(implementation, role);
            assert_eq!(passes, 22, "{role:?}");
            // The first burst comes with the prompt, which is no decode.
            assert_eq!(decodes, (21, 61), "{role:?}");
        }
    }
}
