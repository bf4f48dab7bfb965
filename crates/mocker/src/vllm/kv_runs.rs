//! The KV blocks of one engine, accounted for by runs instead of one by one.
//!
//! Every block belongs to a *chain*: a prompt segment, or the blocks that only
//! one request has (the tail of its prompt and what it generated). Residency is
//! closed under prefixes and a holder of a block holds its whole prefix, so a
//! chain is a resident length, the depths to which requests hold it, and pieces
//! of inactive blocks beyond the deepest of those.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{KvChange, KvRun, SegmentId};
use smallvec::SmallVec;

use super::inactive::{ChainPieces, InactivePieces, NONE};

/// Requests that hold a chain down to the same depth.
#[derive(Clone, Copy, Debug)]
struct Holders {
    depth: u32,
    requests: u32,
}

#[derive(Debug, Default)]
struct Chain {
    /// `None` for the blocks of one request.
    segment: Option<SegmentId>,
    resident: u32,
    /// Deepest first.
    holders: SmallVec<[Holders; 2]>,
    inactive: ChainPieces,
}

impl Chain {
    /// How many of its blocks are in use.
    fn active(&self) -> u32 {
        self.holders.first().map_or(0, |holders| holders.depth)
    }

    fn enter(&mut self, depth: u32) {
        let at = self.holders.partition_point(|held| held.depth > depth);
        match self.holders.get_mut(at) {
            Some(held) if held.depth == depth => held.requests += 1,
            _ => self.holders.insert(at, Holders { depth, requests: 1 }),
        }
    }

    fn leave(&mut self, depth: u32) {
        let at = self.holders.partition_point(|held| held.depth > depth);
        let held = &mut self.holders[at];
        debug_assert_eq!(held.depth, depth);
        held.requests -= 1;
        if held.requests == 0 {
            self.holders.remove(at);
        }
    }
}

/// The blocks of a request's sequence as they stand: `shared` blocks that other
/// prompts may have too, up to `full` full blocks of its own, then a partial one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence<'a> {
    /// Path of the shared blocks.
    pub(super) runs: &'a [KvRun],
    /// Blocks on the path.
    pub(super) shared: u32,
    /// Full blocks, shared or not; at least `shared`.
    pub(super) full: u32,
}

/// What a request holds: the first `blocks` blocks of its sequence.
#[derive(Debug)]
pub(super) struct Holding {
    /// Blocks held.
    pub(super) blocks: u32,
    /// Chains of the runs held so far.
    entered: SmallVec<[u32; 4]>,
    /// Blocks before the last of these.
    before_last: u32,
    /// The chain of its own full blocks while it may have lost some of them; an
    /// undisturbed request just holds them all.
    own: u32,
}

impl Holding {
    pub(super) fn new() -> Self {
        Self {
            blocks: 0,
            entered: SmallVec::new(),
            before_last: 0,
            own: NONE,
        }
    }
}

/// What becomes of a request whose blocks are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is gone.
    Ended,
    /// It will want its blocks again.
    Returns,
}

/// The block pool of an engine.
#[derive(Debug)]
pub(super) struct KvRuns {
    total: u32,
    free: u32,
    active: u32,
    inactive: InactivePieces,
    chains: Vec<Chain>,
    unused: Vec<u32>,
    by_segment: HashMap<SegmentId, u32, FxBuildHasher>,
    /// Changes since they were last taken, if anybody wants them.
    changes: Option<Vec<KvChange>>,
}

impl KvRuns {
    pub(super) fn new(total: u32, report_changes: bool) -> Self {
        Self {
            total,
            free: total,
            active: 0,
            inactive: InactivePieces::new(),
            chains: Vec::new(),
            unused: Vec::new(),
            by_segment: HashMap::default(),
            changes: report_changes.then(Vec::new),
        }
    }

    /// Blocks in the pool.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// Distinct blocks held by requests.
    pub(super) fn active(&self) -> u32 {
        self.active
    }

    /// Blocks that are resident but not held.
    pub(super) fn inactive(&self) -> u32 {
        self.inactive.blocks()
    }

    /// Blocks that hold nothing.
    pub(super) fn free(&self) -> u32 {
        self.free
    }

    /// Blocks that a request could get: free ones and inactive ones.
    pub(super) fn available(&self) -> u32 {
        self.free + self.inactive.blocks()
    }

    /// Changes since the last call, in order.
    pub(super) fn changes(&mut self) -> Option<&mut Vec<KvChange>> {
        self.changes.as_mut().filter(|changes| !changes.is_empty())
    }

    /// Leading blocks of a sequence that are resident. `holding` is the
    /// request's own, if it is one of this engine.
    pub(super) fn resident(&self, runs: &[KvRun], holding: Option<&Holding>) -> u32 {
        let mut blocks = 0;
        for run in runs {
            let resident = self
                .by_segment
                .get(&run.segment)
                .map_or(0, |&chain| self.chains[chain as usize].resident);
            blocks += resident.min(run.blocks);
            if resident < run.blocks {
                return blocks;
            }
        }
        let own = holding.and_then(|holding| self.chains.get(holding.own as usize));
        blocks + own.map_or(0, |chain| chain.resident)
    }

    /// Adds the segments with resident blocks, in any order.
    pub(super) fn add_segments(&self, out: &mut Vec<SegmentId>) {
        out.extend(self.by_segment.keys());
    }

    /// Makes a request hold its first `to` blocks, or as many as can be had.
    pub(super) fn hold(&mut self, holding: &mut Holding, sequence: Sequence<'_>, to: u32) {
        let shared = to.min(sequence.shared);
        while holding.blocks < shared {
            if !self.hold_run(holding, sequence.runs, shared) {
                return;
            }
        }
        let full = to.min(sequence.full);
        if holding.blocks < full && !self.hold_own(holding, sequence, full) {
            return;
        }
        if holding.blocks < to {
            let taken = self.take(to - holding.blocks);
            self.active += taken;
            holding.blocks += taken;
        }
    }

    /// Sees to it that `blocks` blocks are free, where so many are available.
    /// Returns whether others were evicted for them.
    pub(super) fn reserve(&mut self, blocks: u32) -> bool {
        let missing = blocks.saturating_sub(self.free);
        if missing == 0 {
            return false;
        }
        let free = std::mem::take(&mut self.free);
        let taken = self.take(missing);
        self.free = free + taken;
        true
    }

    /// How many blocks nobody holds a request would have to get in order to hold
    /// its first `to` blocks.
    pub(super) fn missing(&self, holding: &Holding, sequence: Sequence<'_>, to: u32) -> u32 {
        let unheld = |chain: Option<&Chain>, from: u32, want: u32| {
            let active = chain.map_or(0, Chain::active);
            want.saturating_sub(from.max(active))
        };
        let mut missing = 0;
        let mut start = 0;
        for run in sequence.runs {
            let end = start + run.blocks;
            let (from, want) = (holding.blocks.clamp(start, end), to.min(sequence.shared));
            let want = want.clamp(start, end);
            let chain = self.by_segment.get(&run.segment);
            let chain = chain.map(|&chain| &self.chains[chain as usize]);
            missing += unheld(chain, from - start, want - start);
            start = end;
        }
        let (shared, full) = (sequence.shared, sequence.full);
        let (from, want) = (holding.blocks.clamp(shared, full), to.clamp(shared, full));
        let own = self.chains.get(holding.own as usize);
        missing += unheld(own, from - shared, want - shared);
        missing + to.saturating_sub(holding.blocks.max(full))
    }

    /// Takes `blocks` new partial blocks, where so many are available. What
    /// was a partial block before is full now.
    pub(super) fn grow(&mut self, blocks: u32) {
        debug_assert!(blocks <= self.available());
        let taken = self.take(blocks);
        self.active += taken;
    }

    /// Releases all that a request holds, tail first.
    pub(super) fn release(&mut self, holding: &mut Holding, sequence: Sequence<'_>, fate: Fate) {
        let full = holding.blocks.min(sequence.full);
        let partial = holding.blocks - full;
        self.free += partial;
        self.active -= partial;
        let own = full.saturating_sub(sequence.shared);
        if own > 0 {
            self.release_own(holding, own, fate);
        }
        let mut depth = full.min(sequence.shared) - holding.before_last;
        while let Some(chain) = holding.entered.pop() {
            self.release_chain(chain, depth);
            if let Some(before) = holding.entered.len().checked_sub(1) {
                depth = sequence.runs[before].blocks;
            }
        }
        holding.blocks = 0;
        holding.before_last = 0;
    }

    /// Takes a request out of the holders of its blocks for a moment. Returns how
    /// many active blocks nobody holds then.
    pub(super) fn step_aside(&mut self, holding: &Holding, sequence: Sequence<'_>) -> u32 {
        let mut blocks = holding.blocks - holding.blocks.min(sequence.shared);
        for (chain, depth) in Self::depths(holding, sequence) {
            let chain = &mut self.chains[chain as usize];
            let before = chain.active();
            chain.leave(depth);
            blocks += before - chain.active();
        }
        blocks
    }

    /// Undoes [`Self::step_aside`].
    pub(super) fn step_back(&mut self, holding: &Holding, sequence: Sequence<'_>) {
        for (chain, depth) in Self::depths(holding, sequence) {
            self.chains[chain as usize].enter(depth);
        }
    }

    /// How deep a request holds the chains of its shared blocks, first to last.
    fn depths(holding: &Holding, sequence: Sequence<'_>) -> impl Iterator<Item = (u32, u32)> {
        let last = holding.entered.len().wrapping_sub(1);
        let in_last = holding.blocks.min(sequence.shared) - holding.before_last;
        holding
            .entered
            .iter()
            .enumerate()
            .map(move |(index, &chain)| {
                let depth = if index == last {
                    in_last
                } else {
                    sequence.runs[index].blocks
                };
                (chain, depth)
            })
    }

    /// Goes on with the run in which the request's holding ends, or the next one.
    /// Returns whether all that was wanted of it could be had.
    fn hold_run(&mut self, holding: &mut Holding, runs: &[KvRun], to: u32) -> bool {
        let entered = holding.entered.len();
        let held = holding.blocks - holding.before_last;
        if entered > 0 && held < runs[entered - 1].blocks {
            let want = runs[entered - 1].blocks.min(to - holding.before_last);
            let got = self.deepen(holding.entered[entered - 1], held, want);
            holding.blocks = holding.before_last + got;
            return got == want;
        }
        let run = runs[entered];
        let want = run.blocks.min(to - holding.blocks);
        let chain = match self.by_segment.get(&run.segment) {
            Some(&chain) => chain,
            None if self.available() == 0 => return false,
            None => {
                let chain = self.new_chain(Some(run.segment));
                self.by_segment.insert(run.segment, chain);
                chain
            }
        };
        let got = self.deepen(chain, 0, want);
        if got > 0 {
            holding.entered.push(chain);
            holding.before_last = holding.blocks;
            holding.blocks += got;
        }
        got == want
    }

    fn hold_own(&mut self, holding: &mut Holding, sequence: Sequence<'_>, full: u32) -> bool {
        let (held, want) = (holding.blocks - sequence.shared, full - sequence.shared);
        let got = if holding.own == NONE {
            let taken = self.take(want - held);
            self.active += taken;
            held + taken
        } else {
            let got = self.deepen(holding.own, held, want);
            if sequence.shared + got == sequence.full {
                // Nothing of it is inactive any more: back to just holding them.
                self.chains[holding.own as usize] = Chain::default();
                self.unused.push(holding.own);
                holding.own = NONE;
            }
            got
        };
        holding.blocks = sequence.shared + got;
        got == want
    }

    fn release_own(&mut self, holding: &mut Holding, own: u32, fate: Fate) {
        if holding.own != NONE {
            self.release_chain(holding.own, own);
            return;
        }
        self.active -= own;
        match fate {
            Fate::Ended => self.inactive.push_unmatchable(own),
            Fate::Returns => {
                let index = self.new_chain(None);
                let chain = &mut self.chains[index as usize];
                chain.resident = own;
                self.inactive.push(index, &mut chain.inactive, 0, own);
                holding.own = index;
            }
        }
    }

    /// Makes a holder of the first `from` blocks of a chain (0: no holder yet)
    /// hold the first `want`, or as many as can be had. Returns how many it holds.
    fn deepen(&mut self, index: u32, from: u32, want: u32) -> u32 {
        let chain = &mut self.chains[index as usize];
        let active = chain.active();
        let mut got = want;
        if want > active {
            if chain.resident > active {
                self.active += self.inactive.revive(&mut chain.inactive, want);
            }
            let missing = want.saturating_sub(chain.resident);
            if missing > 0 {
                let taken = self.take(missing);
                self.active += taken;
                let chain = &mut self.chains[index as usize];
                chain.resident += taken;
                got = chain.resident;
                if let (Some(changes), Some(segment)) = (&mut self.changes, chain.segment)
                    && taken > 0
                {
                    let run = KvRun {
                        segment,
                        blocks: chain.resident,
                    };
                    changes.push(KvChange::Stored { run });
                }
            }
        }
        let chain = &mut self.chains[index as usize];
        if got > from {
            if from > 0 {
                chain.leave(from);
            }
            chain.enter(got);
        }
        got
    }

    fn release_chain(&mut self, index: u32, depth: u32) {
        let chain = &mut self.chains[index as usize];
        chain.leave(depth);
        let active = chain.active();
        if active < depth {
            self.active -= depth - active;
            self.inactive
                .push(index, &mut chain.inactive, active, depth);
        }
    }

    fn new_chain(&mut self, segment: Option<SegmentId>) -> u32 {
        let chain = Chain {
            segment,
            ..Chain::default()
        };
        if let Some(index) = self.unused.pop() {
            self.chains[index as usize] = chain;
            return index;
        }
        self.chains.push(chain);
        self.chains.len() as u32 - 1
    }

    /// Takes up to `wanted` blocks, free ones first. Returns how many.
    fn take(&mut self, wanted: u32) -> u32 {
        let free = wanted.min(self.free);
        self.free -= free;
        let mut missing = wanted - free;
        while missing > 0 {
            let Some(victim) = self.inactive.oldest(missing) else {
                break;
            };
            missing -= victim.blocks;
            self.evict(victim.chain, victim.blocks);
        }
        wanted - missing
    }

    fn evict(&mut self, index: u32, blocks: u32) {
        if index == NONE {
            self.inactive.evict_oldest(None, blocks);
            return;
        }
        let chain = &mut self.chains[index as usize];
        self.inactive
            .evict_oldest(Some(&mut chain.inactive), blocks);
        let before = chain.resident;
        chain.resident -= blocks;
        let Some(segment) = chain.segment else {
            return;
        };
        if let Some(changes) = &mut self.changes {
            let run = KvRun {
                segment,
                blocks: before,
            };
            changes.push(KvChange::Removed {
                run,
                keep: chain.resident,
            });
        }
        if chain.resident == 0 {
            self.by_segment.remove(&segment);
            self.unused.push(index);
        }
    }
}
