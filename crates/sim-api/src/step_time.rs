//! The seam to step-time models.

use sim_core::SimDuration;

/// Inputs of a prefill step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrefillStep {
    /// Requests with prompt tokens in the pass; at least 1.
    pub batch: u32,
    /// Mean prompt tokens reached at the end of the pass, `prefix` included.
    pub isl: u32,
    /// Mean tokens already in KV.
    pub prefix: u32,
}

/// Inputs of a decode step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeStep {
    /// Requests that generate; at least 1.
    pub batch: u32,
    /// Tokens of KV in use.
    pub active_kv_tokens: u64,
    /// Mean context length, rounded down.
    pub context: u32,
    /// Tokens of KV that fit.
    pub kv_capacity_tokens: u64,
}

/// What a step time rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// A closed formula without tables.
    #[default]
    Formula,
    /// Every table was hit exactly.
    Measured,
    /// Between measured points.
    Interpolated,
    /// Beyond the measured range.
    Extrapolated,
}

/// The duration of a step in milliseconds, not rounded: finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepTime {
    /// Milliseconds.
    pub ms: f64,
    /// What it rests on.
    pub coverage: Coverage,
}

/// Which inputs a model's decode times depend on besides the batch, so that an
/// engine knows what it may hold fixed over many passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeAxis {
    /// On the KV in use and the capacity only (not even on the batch).
    ActiveKv,
    /// On the batch and the mean context only.
    Context,
    /// On all of them.
    Both,
}

/// How long the steps of an engine take.
///
/// A model may cache, hence `&mut self`; equal inputs give equal results.
pub trait StepTimeModel: Send {
    /// Duration of a prefill step.
    ///
    /// # Errors
    /// The model has no answer for these inputs.
    fn prefill(&mut self, step: PrefillStep) -> Result<StepTime, StepTimeError>;

    /// Duration of one decode step.
    ///
    /// # Errors
    /// The model has no answer for these inputs.
    fn decode(&mut self, step: DecodeStep) -> Result<StepTime, StepTimeError>;

    /// What [`StepTimeModel::decode`] depends on.
    fn decode_axis(&self) -> DecodeAxis;
}

/// A step-time model has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no step time for {step}: {reason}")]
pub struct StepTimeError {
    /// The inputs, in words.
    pub step: String,
    /// Why there is no answer, and what would help.
    pub reason: String,
}

/// Simulated busy time by what its step times rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoverageTally {
    /// Closed formulas.
    pub formula: SimDuration,
    /// Exact table hits.
    pub measured: SimDuration,
    /// Between table entries.
    pub interpolated: SimDuration,
    /// Beyond the tables.
    pub extrapolated: SimDuration,
}

impl CoverageTally {
    /// Adds `span` of busy time.
    pub fn add(&mut self, coverage: Coverage, span: SimDuration) {
        let slot = match coverage {
            Coverage::Formula => &mut self.formula,
            Coverage::Measured => &mut self.measured,
            Coverage::Interpolated => &mut self.interpolated,
            Coverage::Extrapolated => &mut self.extrapolated,
        };
        *slot += span;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        self.formula += other.formula;
        self.measured += other.measured;
        self.interpolated += other.interpolated;
        self.extrapolated += other.extrapolated;
    }
}
