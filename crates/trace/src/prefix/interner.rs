//! A segment trie over hash ids.
//!
//! A trace names a prompt's tokens in blocks of its own size: equal ids are
//! equal tokens. Engines hold KV in blocks of another size, and a block is the
//! same as another only if the whole prefix up to its end is. Since every id
//! covers at least one token, the prefix of an engine block is known exactly by
//! the ids that reach its end, so it is enough to keep a trie of ids: a node
//! `d` ids deep adds the engine blocks that end in its `trace` tokens.
//!
//! The trie is path-compressed. Each prompt adds at most one segment (the ids
//! no earlier prompt had); a look-up happens only where a path changes segment.
//! Segments keep their numbers for ever, but not their places in memory: those
//! that nobody knows any more can be forgotten.

use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use sim_api::{KvRun, Prompt, Quirk, Quirks, SegmentId};

use super::arena::IdArena;

/// Tokens per block, in the trace and in the engines. Any ratio works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Tokens one hash id stands for.
    pub trace: NonZeroU32,
    /// Tokens of a KV block.
    pub engine: NonZeroU32,
}

impl BlockSizes {
    /// Engine blocks that end within the first `ids` trace blocks.
    fn blocks_within(self, ids: usize) -> u32 {
        let blocks = ids as u64 * u64::from(self.trace.get()) / u64::from(self.engine.get());
        u32::try_from(blocks).unwrap_or(u32::MAX)
    }

    /// Trace blocks that the first `blocks` engine blocks reach into.
    fn ids_under(self, blocks: u32) -> usize {
        let tokens = u64::from(blocks) * u64::from(self.engine.get());
        tokens.div_ceil(u64::from(self.trace.get())) as usize
    }
}

/// What is worth forgetting: so many ids, with a few more for every segment.
const FORGETTABLE: usize = 1 << 16;
/// What a segment costs beside its ids, in ids.
const SEGMENT_OVERHEAD: usize = 8;

/// Where a segment hangs: below the first `ids` ids of the segment at `segment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    segment: u32,
    ids: u32,
}

const ROOT: Place = Place {
    segment: u32::MAX,
    ids: 0,
};

#[derive(Clone, Copy, Debug)]
struct Segment {
    id: SegmentId,
    below: Place,
    first_id: usize,
    ids: u32,
}

/// Turns hash ids into [`Prompt`]s that share segments where, and only where,
/// their tokens are equal.
///
/// ```
/// use std::num::NonZeroU32;
/// use trace::{BlockSizes, PrefixInterner};
///
/// let size = |tokens| NonZeroU32::new(tokens).expect("not zero");
/// let sizes = BlockSizes { trace: size(512), engine: size(64) };
/// let mut interner = PrefixInterner::new(sizes, sim_api::Quirks::NONE);
/// let one = interner.prompt(&[7, 8], 1_000);
/// let two = interner.prompt(&[7, 9], 1_000);
/// assert_eq!(one.full_blocks(), 15);
/// assert_eq!(one.shared_blocks(&two), 8);
/// ```
#[derive(Debug)]
pub struct PrefixInterner {
    sizes: BlockSizes,
    mask: u64,
    arena: IdArena,
    /// Ancestors before their descendants, in the order of their numbers.
    segments: Vec<Segment>,
    issued: u32,
    /// The weight from which on it is worth forgetting.
    heavy: usize,
    /// Segments by the place they hang at and their first id.
    children: HashTable<u32>,
    runs: Vec<KvRun>,
    no_runs: Arc<[KvRun]>,
}

impl PrefixInterner {
    /// An interner that knows no prompt yet. Under
    /// [`Quirk::IdsCutTo32Bits`] ids that are equal modulo 2^32 are equal.
    pub fn new(sizes: BlockSizes, quirks: Quirks) -> Self {
        let mask = if quirks.has(Quirk::IdsCutTo32Bits) {
            u64::from(u32::MAX)
        } else {
            u64::MAX
        };
        Self {
            sizes,
            mask,
            arena: IdArena::default(),
            segments: Vec::new(),
            issued: 0,
            heavy: FORGETTABLE,
            children: HashTable::new(),
            runs: Vec::new(),
            no_runs: Arc::from([]),
        }
    }

    /// The prompt of the first `tokens` tokens of `ids`; `tokens` beyond what
    /// the ids cover are the prompt's own.
    ///
    /// # Panics
    /// After 2^32 - 1 prompts.
    pub fn prompt(&mut self, ids: &[u64], tokens: u32) -> Prompt {
        let full = (tokens / self.sizes.engine).min(self.sizes.blocks_within(ids.len()));
        if full == 0 {
            return Prompt::new(tokens, Arc::clone(&self.no_runs));
        }
        // Ids that only the partial last block would need make no difference.
        let ids = &ids[..self.sizes.ids_under(full)];
        self.walk(ids, full);
        Prompt::new(tokens, Arc::from(self.runs.as_slice()))
    }

    /// Segments so far, forgotten ones included.
    pub fn segments(&self) -> u32 {
        self.issued
    }

    /// Whether it has grown to twice what was left after it last forgot.
    pub fn is_heavy(&self) -> bool {
        self.weight() >= self.heavy
    }

    fn weight(&self) -> usize {
        self.arena.len() + SEGMENT_OVERHEAD * self.segments.len()
    }

    /// Forgets all segments but `known` and what these hang below. A forgotten
    /// part of a prompt gets a new segment when it comes again. O(what there is).
    pub fn forget_others(&mut self, mut known: Vec<SegmentId>) {
        known.sort_unstable();
        let mut kept: Vec<bool> = self
            .segments
            .iter()
            .map(|segment| known.binary_search(&segment.id).is_ok())
            .collect();
        for (at, segment) in self.segments.iter().enumerate().rev() {
            if kept[at] && segment.below != ROOT {
                kept[segment.below.segment as usize] = true;
            }
        }
        let (segments, arena) = (
            std::mem::take(&mut self.segments),
            std::mem::take(&mut self.arena),
        );
        self.children.clear();
        let mut moved = vec![ROOT.segment; segments.len()];
        let mut ids = Vec::new();
        for (at, segment) in segments.iter().enumerate().filter(|&(at, _)| kept[at]) {
            let below = match segment.below {
                ROOT => ROOT,
                place => Place {
                    segment: moved[place.segment as usize],
                    ..place
                },
            };
            ids.clear();
            ids.extend((0..segment.ids as usize).map(|index| arena.get(segment.first_id + index)));
            moved[at] = self.add(segment.id, below, &ids);
        }
        self.children
            .shrink_to_fit(key_of(&self.segments, &self.arena));
        self.heavy = FORGETTABLE.max(2 * self.weight());
    }

    fn walk(&mut self, ids: &[u64], full: u32) {
        self.runs.clear();
        let (mut place, mut depth, mut blocks) = (ROOT, 0, 0);
        while depth < ids.len() {
            let Some(child) = self.child(place, ids[depth]) else {
                let segment = self.grow(place, &ids[depth..]);
                self.runs.push(KvRun {
                    segment,
                    blocks: full - blocks,
                });
                return;
            };
            let segment = self.segments[child as usize];
            let common = self.arena.common(
                segment.first_id,
                segment.ids as usize,
                &ids[depth..],
                self.mask,
            );
            depth += common;
            let reached = self.sizes.blocks_within(depth).min(full);
            if reached > blocks {
                self.runs.push(KvRun {
                    segment: segment.id,
                    blocks: reached - blocks,
                });
                blocks = reached;
            }
            place = Place {
                segment: child,
                ids: common as u32,
            };
        }
    }

    fn child(&self, place: Place, id: u64) -> Option<u32> {
        let id = id & self.mask;
        self.children
            .find(key_hash(place, id), |&segment| {
                let segment = &self.segments[segment as usize];
                segment.below == place && self.arena.get(segment.first_id) == id
            })
            .copied()
    }

    fn grow(&mut self, below: Place, ids: &[u64]) -> SegmentId {
        assert!(self.issued != ROOT.segment, "at most 2^32 - 1 prompts");
        let id = SegmentId(self.issued);
        self.issued += 1;
        self.add(id, below, ids);
        id
    }

    /// Stores a segment. Returns where it stands.
    fn add(&mut self, id: SegmentId, below: Place, ids: &[u64]) -> u32 {
        let at = self.segments.len() as u32;
        let first_id = self.arena.len();
        self.arena.extend(ids, self.mask);
        self.segments.push(Segment {
            id,
            below,
            first_id,
            ids: ids.len() as u32,
        });
        let key = key_of(&self.segments, &self.arena);
        self.children.insert_unique(key(&at), at, key);
        at
    }
}

/// The hash under which a segment is found.
fn key_of<'a>(segments: &'a [Segment], arena: &'a IdArena) -> impl Fn(&u32) -> u64 + 'a {
    |&at| {
        let segment = &segments[at as usize];
        key_hash(segment.below, arena.get(segment.first_id))
    }
}

fn key_hash(place: Place, id: u64) -> u64 {
    let mut hasher = FxHasher::default();
    place.hash(&mut hasher);
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn interner(trace: u32, engine: u32, quirks: Quirks) -> PrefixInterner {
        let size = |tokens| NonZeroU32::new(tokens).unwrap();
        let sizes = BlockSizes {
            trace: size(trace),
            engine: size(engine),
        };
        PrefixInterner::new(sizes, quirks)
    }

    fn runs(prompt: &Prompt) -> Vec<(u32, u32)> {
        let pair = |run: &KvRun| (run.segment.0, run.blocks);
        prompt.runs().iter().map(pair).collect()
    }

    #[test]
    fn a_branch_is_a_new_segment_and_a_repetition_none() {
        let mut interner = interner(4, 4, Quirks::NONE);
        assert_eq!(runs(&interner.prompt(&[1, 2, 3], 12)), [(0, 3)]);
        assert_eq!(runs(&interner.prompt(&[1, 2, 4], 12)), [(0, 2), (1, 1)]);
        assert_eq!(runs(&interner.prompt(&[1, 2, 3], 11)), [(0, 2)]);
        assert_eq!(runs(&interner.prompt(&[1, 2, 3, 5], 16)), [(0, 3), (2, 1)]);
        assert_eq!(interner.segments(), 3);
    }

    #[test]
    fn an_engine_block_over_two_ids_is_shared_only_whole() {
        let mut interner = interner(2, 4, Quirks::NONE);
        let one = interner.prompt(&[1, 2, 3, 4], 8);
        let two = interner.prompt(&[1, 2, 3, 5], 8);
        let three = interner.prompt(&[1, 9, 3, 4], 8);
        assert_eq!(one.shared_blocks(&two), 1);
        assert_eq!(one.shared_blocks(&three), 0);
    }

    #[test]
    fn the_id_of_a_partial_block_does_not_matter() {
        let mut interner = interner(4, 4, Quirks::NONE);
        interner.prompt(&[1, 2], 5);
        assert_eq!(runs(&interner.prompt(&[1, 3], 7)), [(0, 1)]);
        assert_eq!(runs(&interner.prompt(&[5], 3)), []);
        assert_eq!(interner.segments(), 1);
    }

    #[test]
    fn ids_equal_modulo_32_bits_collide_under_the_quirk_only() {
        for (quirks, shared) in [(Quirks::ALL, 1), (Quirks::NONE, 0)] {
            let mut interner = interner(4, 4, quirks);
            let one = interner.prompt(&[1], 4);
            let two = interner.prompt(&[(1 << 32) | 1], 4);
            assert_eq!(one.shared_blocks(&two), shared);
        }
    }

    #[test]
    fn what_is_known_keeps_its_numbers_with_what_it_hangs_below() {
        let mut interner = interner(4, 4, Quirks::NONE);
        for ids in [[1, 2, 3], [1, 2, 4], [7, 8, 9], [1, 2, 5]] {
            interner.prompt(&ids, 12);
        }
        interner.forget_others(vec![SegmentId(3), SegmentId(3)]);
        assert_eq!(interner.segments.len(), 2);
        assert_eq!(runs(&interner.prompt(&[1, 2, 5], 12)), [(0, 2), (3, 1)]);
        assert_eq!(runs(&interner.prompt(&[1, 2, 4], 12)), [(0, 2), (4, 1)]);
        assert_eq!(runs(&interner.prompt(&[7, 8, 9], 12)), [(5, 3)]);
        assert_eq!(interner.segments(), 6);
    }

    #[test]
    fn it_grows_heavy_and_light_again() {
        let mut interner = interner(4, 4, Quirks::NONE);
        let mut first = 0;
        while !interner.is_heavy() {
            interner.prompt(&[first, first + 1], 8);
            first += 2;
        }
        assert!(interner.weight() >= FORGETTABLE);
        interner.forget_others(Vec::new());
        assert_eq!((interner.weight(), interner.is_heavy()), (0, false));
    }

    /// Number of each block by the tokens up to its end.
    fn naive(
        known: &mut BTreeMap<Vec<u64>, usize>,
        ids: &[u64],
        tokens: u32,
        (trace, engine): (u32, u32),
    ) -> Vec<usize> {
        let all: Vec<u64> = ids
            .iter()
            .flat_map(|&id| std::iter::repeat_n(id, trace as usize))
            .take(tokens as usize)
            .collect();
        (1..=all.len() / engine as usize)
            .map(|block| {
                let next = known.len();
                let prefix = all[..block * engine as usize].to_vec();
                *known.entry(prefix).or_insert(next)
            })
            .collect()
    }

    proptest! {
        #[test]
        fn forgetting_moves_no_block_that_is_known(
            prompts in prop::collection::vec(prop::collection::vec(0_u64..3, 1..8), 1..30),
            known in prop::collection::vec(0_u32..30, 0..6),
        ) {
            let mut interner = interner(2, 3, Quirks::NONE);
            let tokens = |ids: &[u64]| 2 * ids.len() as u32;
            let before: Vec<Prompt> =
                prompts.iter().map(|ids| interner.prompt(ids, tokens(ids))).collect();
            let known: Vec<SegmentId> = known.into_iter().map(SegmentId).collect();
            let issued = interner.segments();
            interner.forget_others(known.clone());
            for (ids, before) in prompts.iter().zip(&before) {
                let again = interner.prompt(ids, tokens(ids));
                prop_assert_eq!(again.full_blocks(), before.full_blocks());
                for (run, was) in again.runs().iter().zip(before.runs()) {
                    // A number is either the old one or never was another's.
                    prop_assert!(run.segment == was.segment || run.segment.0 >= issued);
                }
                let held = before.runs().iter().all(|run| known.contains(&run.segment));
                prop_assert!(!held || again == *before);
            }
        }

        #[test]
        fn blocks_are_the_same_exactly_where_the_tokens_up_to_their_end_are(
            trace in 1_u32..7,
            engine in 1_u32..7,
            prompts in prop::collection::vec((prop::collection::vec(0_u64..3, 0..8), 0_u32..50), 1..30),
        ) {
            let mut interner = interner(trace, engine, Quirks::NONE);
            let mut known = BTreeMap::new();
            let mut of_naive = BTreeMap::new();
            for (ids, cut) in prompts {
                let tokens = cut.min(ids.len() as u32 * trace);
                let before = interner.segments();
                let prompt = interner.prompt(&ids, tokens);
                prop_assert!(interner.segments() - before <= 1);
                let blocks: Vec<(SegmentId, u32)> = prompt
                    .runs()
                    .iter()
                    .flat_map(|run| (0..run.blocks).map(|index| (run.segment, index)))
                    .collect();
                let expected = naive(&mut known, &ids, tokens, (trace, engine));
                prop_assert_eq!(blocks.len(), expected.len());
                for (block, number) in blocks.iter().zip(expected) {
                    prop_assert_eq!(of_naive.entry(number).or_insert(*block), block);
                }
            }
            let distinct: std::collections::BTreeSet<_> = of_naive.values().collect();
            prop_assert_eq!(distinct.len(), of_naive.len());
        }
    }
}
