//! The blocks and prompts of one rank.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rustc_hash::FxBuildHasher;
use sim_core::SimTime;

use crate::hash_index::EngineHash;
use crate::prefill_queue::PrefillQueue;

/// Weights are kept in billionths: sums are exact in any order, and decimal
/// fractions meet the half at which rounding turns.
pub(super) const WHOLE: u32 = 1_000_000_000;

/// A block that requests share.
#[derive(Clone, Copy, Debug)]
struct Shared {
    holders: u32,
    /// The block before it, which its hash stands for as well: a prompt that
    /// reaches it from elsewhere does not continue what is held.
    parent: Option<EngineHash>,
    /// Weight that it lacks, in billionths.
    lacking: u32,
}

/// Blocks that a request has to itself: private prompt blocks and output.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnBlocks {
    count: u64,
    /// How many of them have a fraction as weight.
    weighted: u64,
    /// What each of those lacks, in billionths.
    lacking: u32,
}

impl OwnBlocks {
    /// `count` blocks of full weight.
    pub(super) fn whole(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    fn lacking(self) -> u128 {
        u128::from(self.weighted) * u128::from(self.lacking)
    }
}

#[derive(Debug, Default)]
pub(super) struct Rank {
    shared: HashMap<EngineHash, Shared, FxBuildHasher>,
    /// Blocks of single requests.
    own: u64,
    /// Weight that all blocks together lack, in billionths.
    lacking: u128,
    pub(super) prefills: PrefillQueue<u64>,
}

impl Rank {
    pub(super) fn hold(&mut self, blocks: &[EngineHash], own: u64) {
        let mut parent = None;
        for &block in blocks {
            let entry = self.shared.entry(block).or_insert(Shared {
                holders: 0,
                parent,
                lacking: 0,
            });
            entry.holders += 1;
            parent = Some(block);
        }
        self.own += own;
    }

    pub(super) fn release(&mut self, blocks: &[EngineHash], own: OwnBlocks) {
        for &block in blocks {
            if let Entry::Occupied(mut entry) = self.shared.entry(block) {
                entry.get_mut().holders -= 1;
                if entry.get().holders == 0 {
                    self.lacking -= u128::from(entry.remove().lacking);
                }
            }
        }
        self.own -= own.count;
        self.lacking -= own.lacking();
    }

    /// One more block of output.
    pub(super) fn grow(&mut self, own: &mut OwnBlocks) {
        own.count += 1;
        self.own += 1;
    }

    /// Each block that only this request holds lacks `lacking` from now on.
    pub(super) fn weigh(&mut self, blocks: &[EngineHash], own: &mut OwnBlocks, lacking: u32) {
        for block in blocks {
            if let Some(entry) = self.shared.get_mut(block)
                && entry.holders == 1
            {
                self.lacking -= u128::from(entry.lacking);
                entry.lacking = lacking;
                self.lacking += u128::from(lacking);
            }
        }
        self.lacking -= own.lacking();
        own.weighted = own.count;
        own.lacking = lacking;
        self.lacking += own.lacking();
    }

    /// Weight of all blocks, rounded half up.
    pub(super) fn blocks(&self) -> u64 {
        let distinct = self.shared.len() as u128 + u128::from(self.own);
        let whole = u128::from(WHOLE);
        ((distinct * whole - self.lacking + whole / 2) / whole) as u64
    }

    /// How many first blocks are held, up to the first that is not.
    pub(super) fn live_prefix(&self, blocks: &[EngineHash]) -> u64 {
        let mut parent = None;
        let mut live = 0;
        for block in blocks {
            match self.shared.get(block) {
                Some(held) if held.parent == parent => live += 1,
                _ => break,
            }
            parent = Some(*block);
        }
        live
    }

    pub(super) fn prefill_tokens(&self, now: SimTime) -> u64 {
        self.prefills.tokens(now)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.shared.is_empty() && self.own == 0 && self.lacking == 0 && self.prefills.is_empty()
    }
}
