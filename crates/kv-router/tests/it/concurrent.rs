//! The index for many threads: agreement with the plain one, on real threads
//! and under all kinds of interleavings.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kv_router::{
    Block, BlockEvent, ConcurrentIndex, EarlyExit, EngineHash, HashIndex, IndexLock, LocalHash,
    Matches, PrefixIndex, WorkerKey,
};
use proptest::prelude::*;

use crate::index::{prompts, rolling_blocks};

/// Events of one worker that evicts the ends of prefixes first.
type History = (WorkerKey, Vec<BlockEvent>);

/// What a worker does: store a prompt, evict some end, or clear its cache.
type Step = (Vec<u64>, prop::sample::Index, u8);

fn stored(prompt: &[LocalHash]) -> BlockEvent {
    BlockEvent::Stored {
        parent: None,
        blocks: rolling_blocks(prompt),
    }
}

fn removed(block: Block) -> BlockEvent {
    BlockEvent::Removed {
        blocks: vec![block.engine],
    }
}

fn events(steps: &[Step]) -> Vec<BlockEvent> {
    let mut held: BTreeSet<Vec<LocalHash>> = BTreeSet::new();
    let mut events = Vec::new();
    for (prompt, choice, kind) in steps {
        let is_end = |prefix: &&Vec<LocalHash>| {
            let mut longer = held.iter().filter(|other| other.len() > prefix.len());
            !longer.any(|other| other.starts_with(prefix))
        };
        let ends: Vec<_> = held.iter().filter(is_end).cloned().collect();
        match kind {
            0 => {
                held.clear();
                events.push(BlockEvent::Cleared);
            }
            1..5 if !ends.is_empty() => {
                let end = &ends[choice.index(ends.len())];
                held.remove(end);
                events.push(removed(rolling_blocks(end)[end.len() - 1]));
            }
            _ => {
                let prompt: Vec<LocalHash> = prompt.iter().copied().map(LocalHash).collect();
                held.extend((1..=prompt.len()).map(|blocks| prompt[..blocks].to_vec()));
                events.push(stored(&prompt));
            }
        }
    }
    events
}

/// Five workers, and as many histories of up to `length` events.
fn histories(length: usize) -> impl Strategy<Value = Vec<History>> {
    let prompt = prop::collection::vec(0..3u64, 1..7);
    let step = (prompt, any::<prop::sample::Index>(), 0..12u8);
    let steps = prop::collection::vec(step, 1..length);
    prop::collection::vec(steps, 5).prop_map(|all| {
        let worker = |id: usize| WorkerKey::new(id as u64, 0);
        let numbered = all.iter().enumerate();
        numbered
            .map(|(id, steps)| (worker(id), events(steps)))
            .collect()
    })
}

fn query(index: &impl PrefixIndex, prompt: &[LocalHash], early_exit: EarlyExit) -> Matches {
    let mut matches = Matches::default();
    index.query_into(prompt, early_exit, &mut matches);
    matches
}

fn check_equal<L: IndexLock>(concurrent: &ConcurrentIndex<L>, plain: &HashIndex) {
    assert_eq!(concurrent.size(), plain.size());
    assert_eq!(concurrent.sizes(), plain.sizes().collect::<Vec<_>>());
    for prompt in prompts() {
        for early_exit in [EarlyExit::Never, EarlyExit::OneWorkerLeft] {
            let expected = query(plain, &prompt, early_exit);
            assert_eq!(query(concurrent, &prompt, early_exit), expected);
        }
    }
}

fn shards(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_number_of_shards_answers_as_one_index(
        histories in histories(30),
        count in 1..6usize,
    ) {
        let concurrent = ConcurrentIndex::new(shards(count));
        let mut plain = HashIndex::default();
        let longest = histories.iter().map(|(_, events)| events.len()).max().unwrap_or(0);
        for at in 0..longest {
            for (worker, events) in &histories {
                let Some(event) = events.get(at) else { continue };
                prop_assert_eq!(concurrent.apply(*worker, event), plain.apply(*worker, event));
            }
            check_equal(&concurrent, &plain);
        }
        concurrent.remove_worker(0);
        concurrent.remove_worker_rank(WorkerKey::new(1, 0));
        for id in 0..2 {
            plain.remove_worker(id);
        }
        check_equal(&concurrent, &plain);
    }

    #[test]
    fn workers_on_threads_of_their_own_end_as_one_after_the_other(
        histories in histories(200),
        count in 1..4usize,
    ) {
        let concurrent = ConcurrentIndex::new(shards(count));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (concurrent, done) = (&concurrent, &done);
            let reader = scope.spawn(move || {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    seen += prompts().map(|prompt| concurrent.query(&prompt).deepest()).max().unwrap_or(0);
                }
                seen
            });
            let writers = histories.iter().map(|(worker, events)| scope.spawn(move || {
                for event in events {
                    concurrent.apply(*worker, event).unwrap();
                }
            }));
            for writer in writers.collect::<Vec<_>>() {
                writer.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
        let mut plain = HashIndex::default();
        for (worker, events) in &histories {
            for event in events {
                plain.apply(*worker, event).unwrap();
            }
        }
        check_equal(&concurrent, &plain);
    }
}

/// A lock at which the model checker can switch threads.
struct ModelLock(shuttle::sync::RwLock<HashIndex>);

impl IndexLock for ModelLock {
    fn enclose(index: HashIndex) -> Self {
        Self(shuttle::sync::RwLock::new(index))
    }

    fn read<R>(&self, look: impl FnOnce(&HashIndex) -> R) -> R {
        look(&self.0.read().unwrap())
    }

    fn write<R>(&self, change: impl FnOnce(&mut HashIndex) -> R) -> R {
        change(&mut self.0.write().unwrap())
    }
}

const PROMPT: [LocalHash; 4] = [LocalHash(1), LocalHash(2), LocalHash(3), LocalHash(4)];

/// Two histories, and how much of [`PROMPT`] the worker holds before, between
/// and after their events.
fn model_histories() -> [(History, Vec<u32>); 2] {
    let blocks = rolling_blocks(&PROMPT);
    let first = vec![
        stored(&PROMPT[..3]),
        removed(blocks[2]),
        BlockEvent::Stored {
            parent: Some(blocks[1].engine),
            blocks: blocks[2..].to_vec(),
        },
    ];
    let second = vec![
        stored(&PROMPT[..1]),
        BlockEvent::Cleared,
        stored(&PROMPT[..2]),
    ];
    [
        ((WorkerKey::new(1, 0), first), vec![0, 3, 2, 4]),
        ((WorkerKey::new(2, 0), second), vec![0, 1, 0, 2]),
    ]
}

/// Two writers and a reader; the reader must see each worker's states in order.
fn model(count: usize) {
    let index = Arc::new(ConcurrentIndex::<ModelLock>::with_lock(shards(count)));
    let reader = shuttle::thread::spawn({
        let index = Arc::clone(&index);
        move || (0..4).map(|_| index.query(&PROMPT)).collect::<Vec<_>>()
    });
    let writers = model_histories().map(|((worker, events), _)| {
        let index = Arc::clone(&index);
        shuttle::thread::spawn(move || {
            for event in &events {
                index.apply(worker, event).unwrap();
            }
        })
    });
    for writer in writers {
        writer.join().unwrap();
    }
    let seen = reader.join().unwrap();
    let mut plain = HashIndex::default();
    for ((worker, events), depths) in model_histories() {
        let mut state = 0;
        for matches in &seen {
            let later = depths[state..]
                .iter()
                .position(|&depth| depth == matches.depth(worker));
            state += later.unwrap_or_else(|| panic!("{worker:?} went back in time: {seen:?}"));
        }
        for event in &events {
            plain.apply(worker, event).unwrap();
        }
    }
    check_final(&index, &plain);
}

fn check_final(index: &ConcurrentIndex<ModelLock>, plain: &HashIndex) {
    let depths: BTreeMap<_, _> = plain.query(&PROMPT).iter().collect();
    assert_eq!(
        index.query(&PROMPT).iter().collect::<BTreeMap<_, _>>(),
        depths
    );
    assert_eq!(index.size(), plain.size());
}

#[test]
fn no_interleaving_shows_a_worker_out_of_order_or_ends_otherwise() {
    for count in 1..3 {
        shuttle::check_random(move || model(count), 2000);
        shuttle::check_pct(move || model(count), 1000, 3);
    }
}

#[test]
fn consecutive_workers_are_dealt_out_evenly() {
    for count in 1..9 {
        let index = ConcurrentIndex::new(shards(count));
        let mut workers = vec![0; count];
        (0..64).for_each(|id| workers[index.shard_of(id)] += 1);
        let even = 64 / count;
        assert!(
            workers.iter().all(|&n| (even - 2..even + 4).contains(&n)),
            "{workers:?}"
        );
    }
}

#[test]
fn an_unknown_name_is_refused_as_by_the_plain_index() {
    let index = ConcurrentIndex::new(shards(3));
    let mut plain = HashIndex::default();
    let worker = WorkerKey::new(5, 1);
    let name = [EngineHash(9)];
    assert_eq!(index.remove(worker, &name), plain.remove(worker, &name));
    let parent = Some(EngineHash(8));
    assert_eq!(
        index.store(worker, parent, &[]),
        plain.store(worker, parent, &[])
    );
    assert_eq!(index.sizes(), [(worker, 0)]);
    index.clear(WorkerKey::new(5, 0));
    assert_eq!(index.sizes(), [(WorkerKey::new(5, 0), 0), (worker, 0)]);
}
