//! Decode times of one batch over the context length: all that the batch settles is added up beforehand.

use std::sync::Arc;

use crate::engine::Bound;
use crate::error::AicError;
use crate::interp::Timed;
use crate::ops::{Call, DecodeAttention, DecodeAttentionRow};

/// Decode times of one batch. Valid for the [`Bound`] it was made for.
#[derive(Debug)]
pub(crate) struct DecodeRow {
    /// Everything but attention.
    fixed: Result<Timed, AicError>,
    attention: Vec<AttentionTerm>,
}

/// One attention operation of the step.
#[derive(Debug)]
struct AttentionTerm {
    attention: Arc<DecodeAttention>,
    row: DecodeAttentionRow,
    times: f64,
}

impl DecodeRow {
    pub(crate) fn new(bound: &Bound, batch: u32) -> Self {
        let tokens = f64::from(batch) * (f64::from(bound.nextn) + 1.0);
        let call = Call {
            batch: tokens,
            length: 1.0,
            prefix: 0.0,
            tokens,
        };
        let mut attention = Vec::new();
        let mut fixed = Ok(Timed::ZERO);
        for op in &bound.lists.decode {
            let part = op.split(call, &mut |op, times| {
                attention.push(AttentionTerm {
                    attention: Arc::clone(op),
                    row: op.row(tokens),
                    times,
                });
            });
            fixed = fixed.and_then(|sum| Ok(sum.plus(part?)));
        }
        Self { fixed, attention }
    }

    /// The step at a context length, the new token included.
    ///
    /// # Errors
    /// An operation of the step was not measured.
    #[inline]
    pub(crate) fn at(&self, context: f64) -> Result<Timed, AicError> {
        let mut total = match &self.fixed {
            Ok(fixed) => *fixed,
            Err(error) => return Err(error.clone()),
        };
        for term in &self.attention {
            let one = term.attention.along(&term.row, context);
            total = total.plus(one.times(term.times));
        }
        Ok(total)
    }
}
