//! Step times of whole stretches of passes: each computed once, then looked up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sim_api::{
    Coverage, CoverageTally, DecodeAxis, DecodeStep, Limit, PrefillStep, StepTimeError,
    StepTimeModel,
};
use sim_core::{SimDuration, SimTime};

use crate::config::VllmConfig;
use crate::step_clock::StepClock;

/// Contexts in a piece of a row.
const PIECE: u32 = 256;
/// Times of more active blocks than this are not kept.
const MOST_BLOCKS_KEPT: usize = 1 << 20;
/// Marks a time that was not computed yet; no pass is that long.
const UNKNOWN: u64 = u64::MAX;

/// The step times of one kind of engine, to be shared by all engines of that
/// kind (clones share): what one of them computes, the others look up.
#[derive(Clone)]
pub struct StepTimes(Arc<Mutex<StepTable>>);

impl StepTimes {
    /// The step times that `model` gives engines configured by `config`.
    pub fn new(model: Box<dyn StepTimeModel>, config: &VllmConfig) -> Self {
        let clock = StepClock::new(model, config.prefill_speedup, config.decode_speedup);
        Self(Arc::new(Mutex::new(StepTable {
            axis: clock.decode_axis(),
            clock,
            block_tokens: u64::from(config.block_tokens),
            capacity: u64::from(config.block_tokens) * u64::from(config.blocks),
            by_blocks: Vec::new(),
            by_batch: Vec::new(),
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, StepTable> {
        // A panic elsewhere leaves no half-written entry that could be read as a time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step time and what it rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    pub(super) span: SimDuration,
    pub(super) coverage: Coverage,
}

const NOT_YET: Timed = Timed {
    span: SimDuration::from_ns(UNKNOWN),
    coverage: Coverage::Formula,
};

/// Consecutive contexts of a row.
struct Piece {
    ns: [u64; PIECE as usize],
    coverage: [Coverage; PIECE as usize],
    /// The coverage of all entries so far, if it is one and the same.
    common: Option<Coverage>,
}

type Row = Vec<Option<Box<Piece>>>;

/// A decode-only batch at the start of a pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// Requests.
    pub(super) requests: u32,
    /// Σ of their lengths.
    pub(super) tokens: u64,
    /// Blocks in use.
    pub(super) active_blocks: u32,
}

impl Batch {
    /// Mean length, rounded down.
    pub(super) fn context(self) -> u32 {
        u32::try_from(self.tokens / u64::from(self.requests)).unwrap_or(u32::MAX)
    }
}

/// Consecutive passes that were started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    /// How many.
    pub(super) passes: u32,
    /// Start of the last.
    pub(super) last_start: SimTime,
    /// End of the last.
    pub(super) end: SimTime,
}

impl std::fmt::Debug for StepTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepTimes").finish_non_exhaustive()
    }
}

/// What the engines share.
pub(super) struct StepTable {
    clock: StepClock,
    axis: DecodeAxis,
    block_tokens: u64,
    capacity: u64,
    by_blocks: Vec<Timed>,
    by_batch: Vec<Row>,
}

impl StepTable {
    /// What decode times depend on.
    pub(super) fn axis(&self) -> DecodeAxis {
        self.axis
    }

    /// Duration of a prefill step.
    pub(super) fn prefill(&mut self, step: PrefillStep) -> Result<Timed, StepTimeError> {
        let (span, time) = self.clock.prefill_uncounted(step)?;
        let coverage = time.coverage;
        Ok(Timed { span, coverage })
    }

    /// Duration of one decode step.
    pub(super) fn decode(&mut self, batch: Batch) -> Result<Timed, StepTimeError> {
        match self.axis {
            DecodeAxis::ActiveKv => self.by_blocks(batch),
            DecodeAxis::Context => {
                let context = batch.context();
                self.entry(batch, context)
            }
            DecodeAxis::Both => self.compute(batch, batch.context()),
        }
    }

    /// Starts passes of a batch whose mean context grows by one a pass, as
    /// `limit` admits, until one of them ends after the limit's instant, `most`
    /// are started, or the piece of the row ends. Only for
    /// [`DecodeAxis::Context`].
    pub(super) fn run(
        &mut self,
        batch: Batch,
        most: u32,
        start: SimTime,
        limit: Limit,
        tally: &mut CoverageTally,
    ) -> Result<Stretch, StepTimeError> {
        let context = batch.context();
        let offset = context % PIECE;
        let most = most.min(PIECE - offset);
        let mut stretch = Stretch {
            passes: 0,
            last_start: start,
            end: start,
        };
        while stretch.passes < most && limit.admits(stretch.end) {
            let index = offset + stretch.passes;
            let piece = self.piece(batch.requests, context);
            let mut ns = piece.ns[index as usize];
            if ns == UNKNOWN {
                ns = self.entry(batch, context + stretch.passes)?.span.as_ns();
            }
            stretch.last_start = stretch.end;
            stretch.end += SimDuration::from_ns(ns);
            stretch.passes += 1;
            if stretch.end > limit.instant() {
                break;
            }
        }
        let piece = self.piece(batch.requests, context);
        if let Some(coverage) = piece.common {
            tally.add(coverage, stretch.end - start);
        } else {
            let range = offset as usize..(offset + stretch.passes) as usize;
            let spans = &piece.ns[range.clone()];
            for (&ns, &coverage) in spans.iter().zip(&piece.coverage[range]) {
                tally.add(coverage, SimDuration::from_ns(ns));
            }
        }
        Ok(stretch)
    }

    /// The known times of `passes` passes of a row from `context` on.
    pub(super) fn values(&mut self, requests: u32, context: u32, passes: u32) -> &[u64] {
        let offset = (context % PIECE) as usize;
        &self.piece(requests, context).ns[offset..offset + passes as usize]
    }

    fn by_blocks(&mut self, batch: Batch) -> Result<Timed, StepTimeError> {
        let index = batch.active_blocks as usize;
        if let Some(known) = self.by_blocks.get(index)
            && known.span.as_ns() != UNKNOWN
        {
            return Ok(*known);
        }
        let timed = self.compute(batch, batch.context())?;
        if index < MOST_BLOCKS_KEPT {
            if self.by_blocks.len() <= index {
                self.by_blocks.resize(index + 1, NOT_YET);
            }
            self.by_blocks[index] = timed;
        }
        Ok(timed)
    }

    fn entry(&mut self, batch: Batch, context: u32) -> Result<Timed, StepTimeError> {
        let index = (context % PIECE) as usize;
        let piece = self.piece(batch.requests, context);
        if piece.ns[index] != UNKNOWN {
            return Ok(Timed {
                span: SimDuration::from_ns(piece.ns[index]),
                coverage: piece.coverage[index],
            });
        }
        let first = piece.ns.iter().all(|&ns| ns == UNKNOWN);
        let timed = self.compute(batch, context)?;
        let piece = self.piece(batch.requests, context);
        piece.ns[index] = timed.span.as_ns();
        piece.coverage[index] = timed.coverage;
        if first {
            piece.common = Some(timed.coverage);
        } else if piece.common != Some(timed.coverage) {
            piece.common = None;
        }
        Ok(timed)
    }

    fn piece(&mut self, requests: u32, context: u32) -> &mut Piece {
        let requests = requests as usize;
        if self.by_batch.len() <= requests {
            self.by_batch.resize_with(requests + 1, Vec::new);
        }
        let row = &mut self.by_batch[requests];
        let index = (context / PIECE) as usize;
        if row.len() <= index {
            row.resize_with(index + 1, || None);
        }
        row[index].get_or_insert_with(|| {
            Box::new(Piece {
                ns: [UNKNOWN; PIECE as usize],
                coverage: [Coverage::Formula; PIECE as usize],
                common: None,
            })
        })
    }

    fn compute(&mut self, batch: Batch, context: u32) -> Result<Timed, StepTimeError> {
        let step = DecodeStep {
            batch: batch.requests,
            active_kv_tokens: u64::from(batch.active_blocks) * self.block_tokens,
            context,
            kv_capacity_tokens: self.capacity,
        };
        let (span, time) = self.clock.decode_uncounted(step)?;
        let coverage = time.coverage;
        Ok(Timed { span, coverage })
    }
}
