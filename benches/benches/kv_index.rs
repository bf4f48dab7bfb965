//! The gateway's prefix index: tokens a second that are hashed, blocks a second
//! that are stored, found and removed, alone and on two threads.
//!
//! On the prompts of the conversation trace in blocks of 64 tokens where it is
//! at hand, else on synthetic ones of the same shape: all begin alike, one in
//! two continues an earlier conversation, about 200 blocks at the mean.

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main,
};
use kv_router::{
    Block, BlockHasher, ConcurrentIndex, EarlyExit, EngineHash, HashIndex, LocalHash, Matches,
    PrefixIndex, WorkerKey, sequence_hashes,
};

const TRACE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/traces/conversation_trace.jsonl"
);
const BLOCK_TOKENS: u64 = 64;
/// Blocks in what the trace gives one id for (512 tokens).
const BLOCKS_AN_ID: u64 = 8;
const WORKERS: u64 = 4;
/// What a block may cost.
const BYTES_A_BLOCK: f64 = 40.0;

type Prompt = Vec<LocalHash>;

/// What an engine announces after computing a prompt that it knew a part of.
struct Stored {
    worker: WorkerKey,
    parent: Option<EngineHash>,
    blocks: Vec<Block>,
}

/// Any odd constant spreads numbers over the hashes' range.
fn content(n: u64) -> LocalHash {
    LocalHash(n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

fn trace_prompts(text: &str) -> Vec<Prompt> {
    let prompt = |line: &str| -> Prompt {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row of the trace");
        let tokens = row["input_length"].as_u64().expect("a length");
        let ids = row["hash_ids"].as_array().expect("ids");
        (0..tokens / BLOCK_TOKENS)
            .map(|block| {
                let id = ids[(block / BLOCKS_AN_ID) as usize].as_u64();
                content(id.expect("an id") * BLOCKS_AN_ID + block % BLOCKS_AN_ID)
            })
            .collect()
    };
    text.lines().map(prompt).collect()
}

fn synthetic_prompts() -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = Vec::new();
    let mut next = 1_000_000;
    for n in 0..12_000_u64 {
        // A fixed scatter of lengths and of conversations that go on.
        let scatter = content(n).0;
        let mut prompt = match scatter % 2 {
            0 if n > 100 => prompts[(scatter % n) as usize].clone(),
            _ => (0..BLOCKS_AN_ID).map(content).collect(),
        };
        let longer = 20 + scatter / 2 % 160;
        prompt.extend((next..next + longer).map(content));
        next += longer;
        prompts.push(prompt);
    }
    prompts
}

/// The prompts dealt out to workers in turn; each announces what is new to it.
fn announcements(prompts: &[Prompt]) -> Vec<Stored> {
    let mut known = vec![std::collections::BTreeSet::new(); WORKERS as usize];
    let mut announced = Vec::new();
    for (prompt, id) in prompts.iter().zip((0..WORKERS).cycle()) {
        let names = sequence_hashes(prompt);
        let known = &mut known[id as usize];
        let old = names
            .iter()
            .take_while(|name| known.contains(*name))
            .count();
        known.extend(names.iter().copied());
        let blocks = prompt.iter().zip(&names).skip(old);
        announced.push(Stored {
            worker: WorkerKey::new(id, 0),
            parent: old.checked_sub(1).map(|last| names[last]),
            blocks: blocks
                .map(|(&local, &engine)| Block { local, engine })
                .collect(),
        });
    }
    announced
}

fn filled(announced: &[Stored]) -> HashIndex {
    let mut index = HashIndex::default();
    for stored in announced {
        index
            .store(stored.worker, stored.parent, &stored.blocks)
            .expect("parents are stored before");
    }
    index
}

fn empty(index: &mut HashIndex, announced: &[Stored]) {
    let mut names = Vec::new();
    for stored in announced.iter().rev() {
        names.clear();
        names.extend(stored.blocks.iter().rev().map(|block| block.engine));
        index
            .remove(stored.worker, &names)
            .expect("all were stored");
    }
}

fn query_all(index: &impl PrefixIndex, prompts: &[Prompt], first: usize, step: usize) -> u64 {
    let mut matches = Matches::default();
    let mut blocks = 0;
    for prompt in prompts.iter().skip(first).step_by(step) {
        index.query_into(prompt, EarlyExit::Never, &mut matches);
        blocks += u64::from(matches.deepest());
    }
    blocks
}

fn plain(criterion: &mut Criterion, prompts: &[Prompt], announced: &[Stored]) {
    let mut group = criterion.benchmark_group("index");
    group.sample_size(10);
    let stored: usize = announced.iter().map(|stored| stored.blocks.len()).sum();
    group.throughput(Throughput::Elements(stored as u64));
    group.bench_function("store", |bencher| {
        bencher.iter_with_large_drop(|| filled(announced));
    });
    group.bench_function("remove", |bencher| {
        bencher.iter_batched_ref(
            || filled(announced),
            |index| empty(index, announced),
            BatchSize::PerIteration,
        );
    });
    let index = filled(announced);
    let bytes = index.heap_bytes() as f64 / index.size() as f64;
    println!("{} blocks of {bytes:.1} bytes", index.size());
    assert!(bytes <= BYTES_A_BLOCK);
    let asked: usize = prompts.iter().map(Vec::len).sum();
    group.throughput(Throughput::Elements(asked as u64));
    group.bench_function("query", |bencher| {
        bencher.iter(|| black_box(query_all(&index, prompts, 0, 1)));
    });
    group.finish();
}

fn store_on(threads: usize, shards: usize, announced: &[Stored]) -> ConcurrentIndex {
    let index = ConcurrentIndex::new(NonZeroUsize::new(shards).expect("some shards"));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let index = &index;
            scope.spawn(move || {
                for stored in announced {
                    if index.shard_of(stored.worker.id) % threads == thread {
                        index
                            .store(stored.worker, stored.parent, &stored.blocks)
                            .expect("parents are stored before");
                    }
                }
            });
        }
    });
    index
}

fn concurrent(criterion: &mut Criterion, prompts: &[Prompt], announced: &[Stored]) {
    let mut group = criterion.benchmark_group("concurrent index of two shards");
    group.sample_size(10);
    let stored: usize = announced.iter().map(|stored| stored.blocks.len()).sum();
    group.throughput(Throughput::Elements(stored as u64));
    for threads in [1, 2] {
        group.bench_function(format!("store on {threads} threads"), |bencher| {
            bencher.iter_with_large_drop(|| store_on(threads, 2, announced));
        });
    }
    let index = store_on(1, 2, announced);
    let asked: usize = prompts.iter().map(Vec::len).sum();
    group.throughput(Throughput::Elements(asked as u64));
    for threads in [1, 2] {
        query_on(&mut group, threads, &index, prompts);
    }
    group.finish();
}

fn query_on(
    group: &mut BenchmarkGroup<'_, criterion::measurement::WallTime>,
    threads: usize,
    index: &ConcurrentIndex,
    prompts: &[Prompt],
) {
    group.bench_function(format!("query on {threads} threads"), |bencher| {
        bencher.iter(|| {
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || black_box(query_all(index, prompts, thread, threads)));
                }
            });
        });
    });
}

fn hashes(criterion: &mut Criterion) {
    let tokens: Vec<u32> = (0..12_035).map(|n| content(n).0 as u32).collect();
    let hasher = BlockHasher::new(NonZeroUsize::new(BLOCK_TOKENS as usize).expect("not 0"));
    let mut group = criterion.benchmark_group("hashes of a prompt's tokens");
    group.throughput(Throughput::Elements(tokens.len() as u64));
    let mut local = Vec::new();
    group.bench_function("local", |bencher| {
        bencher.iter(|| hasher.local_hashes_into(black_box(&tokens), &[], &mut local));
    });
    let local = hasher.local_hashes(&tokens);
    group.bench_function("rolling", |bencher| {
        bencher.iter(|| sequence_hashes(black_box(&local)));
    });
    group.finish();
}

fn index(criterion: &mut Criterion) {
    let prompts = match std::fs::read_to_string(TRACE) {
        Ok(text) => trace_prompts(&text),
        Err(_) => synthetic_prompts(),
    };
    let announced = announcements(&prompts);
    plain(criterion, &prompts, &announced);
    concurrent(criterion, &prompts, &announced);
}

criterion_group!(benches, hashes, index);
criterion_main!(benches);
