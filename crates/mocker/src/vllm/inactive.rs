//! Resident blocks that nobody uses, as pieces of chains in order of release.
//!
//! A release makes a suffix of a path inactive, tail first, and an ancestor is
//! never released before its descendants. Ticks therefore fall along every
//! path, the block with the smallest tick of all has no inactive child, and
//! "evict the least recently released leaf" is the same as "evict the smallest
//! tick": a plain queue of pieces.

/// No piece, no chain.
pub(super) const NONE: u32 = u32::MAX;

/// The blocks `from..to` of a chain; the deepest was released first.
#[derive(Clone, Copy, Debug)]
struct Piece {
    chain: u32,
    from: u32,
    to: u32,
    older: u32,
    newer: u32,
    shallower: u32,
    deeper: u32,
}

/// The pieces of one chain, shallowest to deepest.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChainPieces {
    shallowest: u32,
    deepest: u32,
}

impl Default for ChainPieces {
    fn default() -> Self {
        Self {
            shallowest: NONE,
            deepest: NONE,
        }
    }
}

/// Blocks that an eviction took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Evicted {
    /// The chain they were of; [`NONE`] if nobody could ever match them.
    pub(super) chain: u32,
    /// How many.
    pub(super) blocks: u32,
}

/// All pieces of an engine, oldest release first.
#[derive(Debug)]
pub(super) struct InactivePieces {
    pieces: Vec<Piece>,
    unused: Vec<u32>,
    oldest: u32,
    newest: u32,
    blocks: u32,
}

impl InactivePieces {
    pub(super) fn new() -> Self {
        Self {
            pieces: Vec::new(),
            unused: Vec::new(),
            oldest: NONE,
            newest: NONE,
            blocks: 0,
        }
    }

    /// Blocks in all pieces.
    pub(super) fn blocks(&self) -> u32 {
        self.blocks
    }

    /// Adds the blocks `from..to` of `chain`, released now.
    pub(super) fn push(&mut self, chain: u32, of: &mut ChainPieces, from: u32, to: u32) {
        debug_assert!(from < to);
        let index = self.append(chain, from, to);
        self.pieces[index as usize].deeper = of.shallowest;
        match of.shallowest {
            NONE => of.deepest = index,
            below => self.pieces[below as usize].shallower = index,
        }
        of.shallowest = index;
    }

    /// Adds `blocks` released blocks that nobody can match again.
    pub(super) fn push_unmatchable(&mut self, blocks: u32) {
        if blocks == 0 {
            return;
        }
        // Such blocks are all alike, so neighbours in the queue are one piece.
        if let Some(last) = self.pieces.get_mut(self.newest as usize)
            && last.chain == NONE
        {
            last.to += blocks;
            self.blocks += blocks;
            return;
        }
        self.append(NONE, 0, blocks);
    }

    /// Takes the inactive blocks of a chain that lie below depth `depth` out of the
    /// queue, since they are in use again. Returns how many.
    pub(super) fn revive(&mut self, of: &mut ChainPieces, depth: u32) -> u32 {
        let mut revived = 0;
        while let Some(piece) = self.pieces.get_mut(of.shallowest as usize) {
            if piece.from >= depth {
                break;
            }
            let to = piece.to.min(depth);
            revived += to - piece.from;
            piece.from = to;
            if piece.from == piece.to {
                let index = of.shallowest;
                of.shallowest = piece.deeper;
                match of.shallowest {
                    NONE => of.deepest = NONE,
                    next => self.pieces[next as usize].shallower = NONE,
                }
                self.unlink(index);
            }
        }
        self.blocks -= revived;
        revived
    }

    /// The chain of the oldest piece and how many of `blocks` it can give.
    pub(super) fn oldest(&self, blocks: u32) -> Option<Evicted> {
        let piece = self.pieces.get(self.oldest as usize)?;
        Some(Evicted {
            chain: piece.chain,
            blocks: blocks.min(piece.to - piece.from),
        })
    }

    /// Takes `blocks` of the oldest piece, whose chain has the pieces `of`.
    pub(super) fn evict_oldest(&mut self, of: Option<&mut ChainPieces>, blocks: u32) {
        let index = self.oldest;
        let piece = &mut self.pieces[index as usize];
        piece.to -= blocks;
        self.blocks -= blocks;
        if piece.from < piece.to {
            return;
        }
        let shallower = piece.shallower;
        if let Some(of) = of {
            of.deepest = shallower;
            match shallower {
                NONE => of.shallowest = NONE,
                next => self.pieces[next as usize].deeper = NONE,
            }
        }
        self.unlink(index);
    }

    fn append(&mut self, chain: u32, from: u32, to: u32) -> u32 {
        let piece = Piece {
            chain,
            from,
            to,
            older: self.newest,
            newer: NONE,
            shallower: NONE,
            deeper: NONE,
        };
        let index = match self.unused.pop() {
            Some(index) => {
                self.pieces[index as usize] = piece;
                index
            }
            None => {
                self.pieces.push(piece);
                self.pieces.len() as u32 - 1
            }
        };
        match self.newest {
            NONE => self.oldest = index,
            last => self.pieces[last as usize].newer = index,
        }
        self.newest = index;
        self.blocks += to - from;
        index
    }

    fn unlink(&mut self, index: u32) {
        let Piece { older, newer, .. } = self.pieces[index as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.pieces[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.pieces[newer as usize].older = older,
        }
        self.unused.push(index);
    }
}
