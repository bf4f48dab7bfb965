//! Operations bound to measurements: what remains to be given is the size of the step.

mod attention;
mod bind;
mod collective;
mod experts;
mod gemm;

use std::sync::Arc;

use crate::error::AicError;
use crate::interp::Timed;

pub(crate) use attention::{DecodeAttention, DecodeAttentionRow, PrefillAttention};
pub(crate) use bind::Binder;
use collective::BoundCollective;
use experts::{BoundLatentBmm, BoundMoe};
use gemm::BoundGemm;

/// The size of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Call {
    pub(crate) batch: f64,
    /// Prefill: new tokens of a request. Decode: context length, the new token included.
    pub(crate) length: f64,
    /// Prefill: tokens of a request that are in KV.
    pub(crate) prefix: f64,
    /// Tokens in the step.
    pub(crate) tokens: f64,
}

/// A bound operation under the name it is reported by.
#[derive(Debug, Clone)]
pub(crate) struct BoundOp {
    pub(crate) name: &'static str,
    times: f64,
    kind: BoundKind,
}

/// What an operation's time depends on.
#[derive(Debug, Clone)]
enum BoundKind {
    /// On the tokens in the step.
    Tokens(TokenOp),
    /// On the requests in the step, one token each.
    Requests(TokenOp),
    /// On batch, new tokens and prefix.
    Prefill(Box<PrefillAttention>),
    /// On batch and context.
    Decode(Arc<DecodeAttention>),
    /// The slower of two groups.
    Overlap(Vec<BoundOp>, Vec<BoundOp>),
    /// One after the other.
    Group(Vec<BoundOp>),
    /// It cannot be told.
    Unavailable(Box<AicError>),
}

/// An operation whose time depends on a number of tokens only.
#[derive(Debug, Clone)]
pub(crate) enum TokenOp {
    /// There is nothing to do.
    Nothing,
    /// In proportion to the tokens, on top of a constant; a formula without measurements.
    Linear {
        ms: f64,
        ms_per_token: f64,
    },
    Gemm(Box<BoundGemm>),
    Moe(Box<BoundMoe>),
    LatentBmm(Box<BoundLatentBmm>),
    Collective(Box<BoundCollective>),
    /// Two, one after the other.
    Pair(Box<[TokenOp; 2]>),
}

impl TokenOp {
    #[inline]
    pub(crate) fn at(&self, tokens: f64) -> Result<Timed, AicError> {
        match self {
            Self::Nothing => Ok(Timed::ZERO),
            Self::Linear { ms, ms_per_token } => Ok(Timed::formula(ms + ms_per_token * tokens)),
            Self::Gemm(gemm) => gemm.at(tokens),
            Self::Moe(moe) => moe.at(tokens),
            Self::LatentBmm(bmm) => bmm.at(tokens),
            Self::Collective(collective) => collective.at(tokens),
            Self::Pair(pair) => Ok(pair[0].at(tokens)?.plus(pair[1].at(tokens)?)),
        }
    }
}

impl BoundOp {
    /// Milliseconds of all its runs in a step.
    ///
    /// # Errors
    /// [`AicError::MissingPerfData`] or [`AicError::MissingSystemFlops`].
    pub(crate) fn at(&self, call: Call) -> Result<Timed, AicError> {
        let one = match &self.kind {
            BoundKind::Tokens(op) => op.at(call.tokens)?,
            BoundKind::Requests(op) => op.at(call.batch)?,
            BoundKind::Prefill(op) => op.at(call.batch, call.length, call.prefix),
            BoundKind::Decode(op) => op.at(call.batch, call.length),
            BoundKind::Overlap(a, b) => {
                let (a, b) = (sum(a, call)?, sum(b, call)?);
                Timed::new(a.ms.max(b.ms), a.coverage.max(b.coverage))
            }
            BoundKind::Group(ops) => sum(ops, call)?,
            BoundKind::Unavailable(error) => return Err((**error).clone()),
        };
        Ok(one.times(self.times))
    }

    /// Splits what depends on the context from what the batch settles: adds up the latter for a decode step of
    /// `call.batch` and hands the former, with how often it runs, to `attention`.
    pub(crate) fn split<'a>(
        &'a self,
        call: Call,
        attention: &mut impl FnMut(&'a Arc<DecodeAttention>, f64),
    ) -> Result<Timed, AicError> {
        match &self.kind {
            BoundKind::Decode(op) => {
                attention(op, self.times);
                Ok(Timed::ZERO)
            }
            BoundKind::Group(ops) => {
                let parts = ops.iter().map(|op| op.split(call, attention));
                let mut total = Timed::ZERO;
                for part in parts {
                    total = total.plus(part?);
                }
                Ok(total.times(self.times))
            }
            _ => self.at(call),
        }
    }

    /// Why the operation can never be told, if so.
    pub(crate) fn unavailable(&self) -> Option<&AicError> {
        match &self.kind {
            BoundKind::Unavailable(error) => Some(error),
            BoundKind::Group(ops) => ops.iter().find_map(Self::unavailable),
            BoundKind::Overlap(a, b) => a.iter().chain(b).find_map(Self::unavailable),
            _ => None,
        }
    }

    /// Whether it is prefill attention, or a group with it.
    pub(crate) fn has_prefill_attention(&self) -> bool {
        self.name == "context_attention" || self.name == "context_mla_block"
    }
}

/// One after the other.
pub(crate) fn sum(ops: &[BoundOp], call: Call) -> Result<Timed, AicError> {
    let mut total = Timed::ZERO;
    for op in ops {
        total = total.plus(op.at(call)?);
    }
    Ok(total)
}
