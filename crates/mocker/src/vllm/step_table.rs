//! Step times of whole stretches of passes: each computed once, then looked up.

use std::ops::Range;
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
    common: Common,
}

/// What the known times of a piece rest on.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    NothingKnown,
    All(Coverage),
    Different,
}

impl Piece {
    fn new() -> Self {
        Self {
            ns: [UNKNOWN; PIECE as usize],
            coverage: [Coverage::Formula; PIECE as usize],
            common: Common::NothingKnown,
        }
    }

    fn set(&mut self, index: usize, timed: Timed) {
        self.ns[index] = timed.span.as_ns();
        self.coverage[index] = timed.coverage;
        self.common = match self.common {
            Common::NothingKnown => Common::All(timed.coverage),
            Common::All(coverage) if coverage == timed.coverage => self.common,
            _ => Common::Different,
        };
    }

    /// Adds known times to `tally`; `total` is their sum.
    fn tally(&self, range: Range<usize>, total: SimDuration, tally: &mut CoverageTally) {
        if let Common::All(coverage) = self.common {
            tally.add(coverage, total);
            return;
        }
        for (&ns, &coverage) in self.ns[range.clone()].iter().zip(&self.coverage[range]) {
            tally.add(coverage, SimDuration::from_ns(ns));
        }
    }
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
            DecodeAxis::Context => self.entry(batch),
            DecodeAxis::Both => {
                let inputs = self.inputs(batch, batch.context());
                compute(&mut self.clock, inputs)
            }
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
        let offset = (context % PIECE) as usize;
        let most = most.min(PIECE - context % PIECE) as usize;
        // The next pass starts if the one before ends earlier than this.
        let bound = match limit {
            Limit::Before(at) => at,
            Limit::Through(at) => at.saturating_add(SimDuration::from_ns(1)),
        };
        let inputs = self.inputs(batch, context);
        let piece = piece(&mut self.by_batch, batch.requests, context);
        let mut last_start = start;
        let mut end = start;
        let mut passes = 0;
        for (step, ns) in (0..).zip(offset..offset + most) {
            let mut span = piece.ns[ns];
            if span == UNKNOWN {
                let step = DecodeStep {
                    context: context + step,
                    ..inputs
                };
                let timed = compute(&mut self.clock, step)?;
                piece.set(ns, timed);
                span = timed.span.as_ns();
            }
            last_start = end;
            end += SimDuration::from_ns(span);
            passes += 1;
            if end >= bound {
                break;
            }
        }
        piece.tally(offset..offset + passes as usize, end - start, tally);
        Ok(Stretch {
            passes,
            last_start,
            end,
        })
    }

    /// The end of up to `most` passes that begin with `batch` at `start` and give
    /// everybody `burst` tokens. They end where the active blocks matter and
    /// change, or with the piece of the row; returns how many there are.
    pub(super) fn decodes(
        &mut self,
        batch: Batch,
        most: u32,
        burst: u32,
        start: SimTime,
    ) -> Result<(u32, SimTime), StepTimeError> {
        if self.axis == DecodeAxis::Context && burst == 1 {
            let uncounted = &mut CoverageTally::default();
            let stretch = self.run(batch, most, start, Limit::Through(SimTime::MAX), uncounted)?;
            return Ok((stretch.passes, stretch.end));
        }
        Ok((most, start + self.decode(batch)?.span * u64::from(most)))
    }

    /// The known times of `passes` passes of a row from `context` on.
    pub(super) fn values(&mut self, requests: u32, context: u32, passes: u32) -> &[u64] {
        let offset = (context % PIECE) as usize;
        &piece(&mut self.by_batch, requests, context).ns[offset..offset + passes as usize]
    }

    fn by_blocks(&mut self, batch: Batch) -> Result<Timed, StepTimeError> {
        let index = batch.active_blocks as usize;
        if let Some(known) = self.by_blocks.get(index)
            && known.span.as_ns() != UNKNOWN
        {
            return Ok(*known);
        }
        let inputs = self.inputs(batch, batch.context());
        let timed = compute(&mut self.clock, inputs)?;
        if index < MOST_BLOCKS_KEPT {
            if self.by_blocks.len() <= index {
                self.by_blocks.resize(index + 1, NOT_YET);
            }
            self.by_blocks[index] = timed;
        }
        Ok(timed)
    }

    fn entry(&mut self, batch: Batch) -> Result<Timed, StepTimeError> {
        let context = batch.context();
        let index = (context % PIECE) as usize;
        let inputs = self.inputs(batch, context);
        let piece = piece(&mut self.by_batch, batch.requests, context);
        if piece.ns[index] == UNKNOWN {
            piece.set(index, compute(&mut self.clock, inputs)?);
        }
        Ok(Timed {
            span: SimDuration::from_ns(piece.ns[index]),
            coverage: piece.coverage[index],
        })
    }

    fn inputs(&self, batch: Batch, context: u32) -> DecodeStep {
        DecodeStep {
            batch: batch.requests,
            active_kv_tokens: u64::from(batch.active_blocks) * self.block_tokens,
            context,
            kv_capacity_tokens: self.capacity,
        }
    }
}

fn piece(rows: &mut Vec<Row>, requests: u32, context: u32) -> &mut Piece {
    let requests = requests as usize;
    if rows.len() <= requests {
        rows.resize_with(requests + 1, Vec::new);
    }
    let row = &mut rows[requests];
    let index = (context / PIECE) as usize;
    if row.len() <= index {
        row.resize_with(index + 1, || None);
    }
    row[index].get_or_insert_with(|| Box::new(Piece::new()))
}

fn compute(clock: &mut StepClock, step: DecodeStep) -> Result<Timed, StepTimeError> {
    let (span, time) = clock.decode_uncounted(step)?;
    let coverage = time.coverage;
    Ok(Timed { span, coverage })
}
