//! The operations that make up a model's prefill and decode steps.

mod dense;
mod layer;
mod mla;
mod moe;
mod op;
mod parallel;

use crate::backend::Backend;
use crate::error::AicError;
use crate::model_spec::{Family, ModelSpec};
use crate::quant::Formats;

pub(crate) use op::{Half, NamedOp, OpKind};
pub use parallel::Parallelism;

/// Everything an operation list depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) model: &'a ModelSpec,
    pub(crate) parallel: Parallelism,
    pub(crate) formats: Formats,
    pub(crate) backend: Backend,
    /// Draft tokens a decode step verifies.
    pub(crate) nextn: u32,
}

/// The operations of both kinds of step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpLists {
    pub(crate) prefill: Vec<NamedOp>,
    pub(crate) decode: Vec<NamedOp>,
}

impl OpLists {
    /// The lists of a model.
    ///
    /// # Errors
    /// [`AicError::Parallelism`] where group sizes do not fit.
    pub(crate) fn new(setting: &Setting<'_>) -> Result<Self, AicError> {
        setting.parallel.check(setting.model, setting.formats.moe)?;
        Ok(match setting.model.family {
            Family::Dense => dense::lists(setting),
            Family::Moe => moe::lists(setting),
            Family::Mla => mla::lists(setting),
        })
    }
}

impl Setting<'_> {
    /// By how much drafting lengthens a decode step: the draft layers on top of the model's.
    fn draft_scale(&self) -> f64 {
        let layers = f64::from(self.model.layers);
        (f64::from(self.nextn) + layers) / layers
    }
}
