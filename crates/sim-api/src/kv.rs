//! Changes of what a worker's KV cache holds, by runs of blocks.

use crate::{KvRun, SegmentId};

/// One change of the resident prompt blocks of a worker.
///
/// Residency is closed under prefixes: a resident block's whole prefix is
/// resident. Blocks made of generated tokens are never matched by a prompt and
/// are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvChange {
    /// The first `run.blocks` blocks of the segment are resident now (some may
    /// have been before).
    Stored {
        /// What is resident.
        run: KvRun,
    },
    /// Only the first `keep` blocks of the segment are left.
    Removed {
        /// The segment with the number of blocks that it had before.
        run: KvRun,
        /// How many of them stay; 0 if the segment is gone.
        keep: u32,
    },
}

impl KvChange {
    /// The segment whose residency changes.
    pub fn segment(&self) -> SegmentId {
        match self {
            Self::Stored { run } | Self::Removed { run, .. } => run.segment,
        }
    }
}
