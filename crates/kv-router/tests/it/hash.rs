//! The reference's cases of block hashes and rolling hashes.

use std::num::NonZeroUsize;

use kv_router::{BlockHasher, sequence_hashes};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    block_size: NonZeroUsize,
    tokens: Vec<u32>,
    lora: Option<String>,
    #[serde(default)]
    eagle: bool,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    local_hex: Vec<String>,
    seq_hex: Vec<String>,
}

#[test]
fn prompts_have_the_hashes_of_the_reference() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/hash_cases.json")).unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let mut hasher = BlockHasher::new(case.block_size);
        if let Some(name) = &case.lora {
            hasher = hasher.with_lora(name);
        }
        if case.eagle {
            hasher = hasher.with_eagle();
        }
        let hex = |hash: u64| format!("{hash:016x}");
        let local = hasher.local_hashes(&case.tokens);
        let rolling = sequence_hashes(&local);
        let local: Vec<String> = local.iter().map(|hash| hex(hash.0)).collect();
        let rolling: Vec<String> = rolling.iter().map(|hash| hex(hash.0)).collect();
        assert_eq!(local, case.expected.local_hex, "{}", case.name);
        assert_eq!(rolling, case.expected.seq_hex, "{}", case.name);
    }
}
