//! Whole steps from operations.

use sim_api::StepTime;

use crate::engine::AicEngine;
use crate::error::AicError;
use crate::interp::Timed;
use crate::ops::{BoundOp, Call};

/// Tokens after which a decode step is evaluated anew when many are asked for at once.
const DECODE_STRIDE: u32 = 32;
/// Longest output taken for one.
const OUTPUT_MAX: u32 = 1 << 24;

/// Milliseconds of one operation in a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpTime {
    /// The operation.
    pub name: &'static str,
    /// How long it takes, all layers together, and what that rests on.
    pub time: StepTime,
}

/// A step that computes prompts and generates at once, by its parts. Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MixedTime {
    /// The sum of the parts.
    pub total: f64,
    /// Everything but attention, on all tokens together.
    pub shared: f64,
    /// Attention over new prompt tokens.
    pub prefill_attention: f64,
    /// Attention of generating requests.
    pub decode_attention: f64,
}

/// The load of a mixed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixedStep {
    /// New prompt tokens in the step.
    pub prefill_tokens: u32,
    /// Requests that generate.
    pub decode_requests: u32,
    /// Prompt length in tokens.
    pub isl: u32,
    /// Output length in tokens; contexts are taken half-way through it.
    pub osl: u32,
    /// Tokens of each prompt that are in KV already.
    pub prefix: u32,
}

impl AicEngine {
    /// A prefill step of `batch` prompts of `isl` tokens, `prefix` of which are in KV.
    ///
    /// # Errors
    /// [`AicError::InvalidStep`] unless `batch` is at least 1, `prefix` below `isl` and the new tokens together below
    /// 2^32; [`AicError::MissingPerfData`] or [`AicError::MissingSystemFlops`] where an operation was not measured.
    pub fn prefill_ms(&self, batch: u32, isl: u32, prefix: u32) -> Result<f64, AicError> {
        Ok(self.prefill(batch, isl, prefix)?.ms)
    }

    /// As [`AicEngine::prefill_ms`], with what the time rests on.
    ///
    /// # Errors
    /// As [`AicEngine::prefill_ms`].
    pub fn prefill(&self, batch: u32, isl: u32, prefix: u32) -> Result<StepTime, AicError> {
        let call = prefill_call(batch, isl, prefix)?;
        step_time(total(self.bound.lists.prefill.iter(), call)?)
    }

    /// One decode step of `batch` requests at a context of `isl` tokens: the next token comes on top.
    ///
    /// # Errors
    /// As [`AicEngine::decode_ms`].
    pub fn decode(&self, batch: u32, isl: u32) -> Result<StepTime, AicError> {
        if batch == 0 {
            return step_time(Timed::ZERO);
        }
        self.check_decode_batch(batch)?;
        step_time(self.decode_row(batch).at(f64::from(isl) + 1.0)?)
    }

    /// All decode steps of `batch` requests from a context of `isl` tokens to `osl` output tokens, the first of which
    /// prefill has made: `osl` 2 is one step, `osl` 1 or 0 takes no time. Every 32nd step stands for those around it.
    ///
    /// # Errors
    /// [`AicError::InvalidStep`] if the batch (times draft tokens) is beyond 2^32 or `osl` beyond 2^24;
    /// [`AicError::MissingPerfData`] or [`AicError::MissingSystemFlops`] where an operation was not measured.
    pub fn decode_ms(&self, batch: u32, isl: u32, osl: u32) -> Result<f64, AicError> {
        if batch == 0 || osl <= 1 {
            return Ok(0.0);
        }
        if osl > OUTPUT_MAX {
            return Err(invalid(format!(
                "{osl} output tokens: at most {OUTPUT_MAX}"
            )));
        }
        self.check_decode_batch(batch)?;
        let row = self.decode_row(batch);
        let steps = osl - 1;
        let mut total = 0.0;
        let mut step = 0;
        while step < steps {
            let one = row.at(f64::from(isl) + f64::from(step) + 1.0)?;
            total += one.ms * f64::from(DECODE_STRIDE.min(steps - step));
            step += DECODE_STRIDE;
        }
        finite(total)
    }

    /// A step that computes `prefill_tokens` of prompts and one token for each of `decode_requests`.
    ///
    /// # Errors
    /// [`AicError::InvalidStep`] on an impossible load, else as [`AicEngine::prefill_ms`].
    pub fn mixed_ms(&self, step: MixedStep) -> Result<MixedTime, AicError> {
        let MixedStep {
            prefill_tokens,
            decode_requests,
            isl,
            osl,
            prefix,
        } = step;
        if prefill_tokens == 0 && decode_requests == 0 {
            return Ok(MixedTime::default());
        }
        if prefill_tokens > 0 && prefix >= isl {
            return Err(prefix_too_long(isl, prefix));
        }
        if decode_requests > 0 {
            self.check_decode_batch(decode_requests)?;
        }
        let decode_tokens = f64::from(decode_requests) * (f64::from(self.bound.nextn) + 1.0);
        let together = f64::from(prefill_tokens) + decode_tokens;
        let prompts = prefill_tokens.checked_div(isl).unwrap_or(0);
        let cached = f64::from(prefix) * f64::from(prompts);
        if cached >= together {
            return Err(invalid(format!(
                "{prompts} prompts with {prefix} tokens in KV are more than the {together} tokens of the step"
            )));
        }
        let shared = Call {
            batch: 1.0,
            length: together - cached,
            prefix: cached,
            tokens: together - cached,
        };
        let lists = &self.bound.lists;
        let named = |name| move |op: &&BoundOp| op.name == name;
        let not_attention = |op: &&BoundOp| op.name != "context_attention";
        let others = lists.prefill.iter().filter(not_attention);
        let shared = total(others, shared)?.ms;
        let mut parts = MixedTime {
            shared,
            ..MixedTime::default()
        };
        if prefill_tokens > 0 {
            let call = prefill_call(prefill_tokens.div_ceil(isl), isl, prefix)?;
            let attention = lists.prefill.iter().filter(named("context_attention"));
            let passes = f64::from(isl.div_ceil(prefill_tokens));
            parts.prefill_attention = total(attention, call)?.ms / passes;
        }
        if decode_requests > 0 {
            let call = Call {
                batch: decode_tokens,
                length: f64::from(isl) + f64::from(osl / 2) + 1.0,
                prefix: 0.0,
                tokens: decode_tokens,
            };
            let attention = lists.decode.iter().filter(named("generation_attention"));
            parts.decode_attention = total(attention, call)?.ms;
        }
        parts.total = finite(parts.shared + parts.prefill_attention + parts.decode_attention)?;
        Ok(parts)
    }

    /// The operations of a prefill step, in order; those of one name are added up.
    ///
    /// # Errors
    /// As [`AicEngine::prefill_ms`].
    pub fn prefill_per_op(
        &self,
        batch: u32,
        isl: u32,
        prefix: u32,
    ) -> Result<Vec<OpTime>, AicError> {
        per_op(&self.bound.lists.prefill, prefill_call(batch, isl, prefix)?)
    }

    /// The operations of one decode step, in order; those of one name are added up.
    ///
    /// # Errors
    /// As [`AicEngine::decode`], and [`AicError::InvalidStep`] on an empty batch.
    pub fn decode_per_op(&self, batch: u32, isl: u32) -> Result<Vec<OpTime>, AicError> {
        if batch == 0 {
            return Err(invalid("a batch of 0".to_owned()));
        }
        self.check_decode_batch(batch)?;
        let tokens = f64::from(batch) * (f64::from(self.bound.nextn) + 1.0);
        let call = Call {
            batch: tokens,
            length: f64::from(isl) + 1.0,
            prefix: 0.0,
            tokens,
        };
        per_op(&self.bound.lists.decode, call)
    }

    fn check_decode_batch(&self, batch: u32) -> Result<(), AicError> {
        let tokens = u64::from(batch) * (u64::from(self.bound.nextn) + 1);
        if tokens > u64::from(u32::MAX) {
            return Err(invalid(format!(
                "{tokens} tokens in a decode step: at most {}",
                u32::MAX
            )));
        }
        Ok(())
    }
}

fn prefill_call(batch: u32, isl: u32, prefix: u32) -> Result<Call, AicError> {
    if batch == 0 {
        return Err(invalid("a batch of 0".to_owned()));
    }
    if prefix >= isl {
        return Err(prefix_too_long(isl, prefix));
    }
    let tokens = u64::from(batch) * u64::from(isl - prefix);
    if tokens > u64::from(u32::MAX) {
        return Err(invalid(format!(
            "{tokens} new tokens in a prefill step: at most {}",
            u32::MAX
        )));
    }
    Ok(Call {
        batch: f64::from(batch),
        length: f64::from(isl - prefix),
        prefix: f64::from(prefix),
        tokens: tokens as f64,
    })
}

fn total<'a>(ops: impl Iterator<Item = &'a BoundOp>, call: Call) -> Result<Timed, AicError> {
    let mut total = Timed::ZERO;
    for op in ops {
        total = total.plus(op.at(call)?);
    }
    Ok(total)
}

fn per_op(ops: &[BoundOp], call: Call) -> Result<Vec<OpTime>, AicError> {
    let mut times: Vec<(&'static str, Timed)> = Vec::with_capacity(ops.len());
    for op in ops {
        let time = op.at(call)?;
        match times.iter_mut().find(|(name, _)| *name == op.name) {
            Some((_, sum)) => *sum = sum.plus(time),
            None => times.push((op.name, time)),
        }
    }
    times
        .into_iter()
        .map(|(name, time)| step_time(time).map(|time| OpTime { name, time }))
        .collect()
}

fn step_time(time: Timed) -> Result<StepTime, AicError> {
    Ok(StepTime {
        ms: finite(time.ms)?,
        coverage: time.coverage,
    })
}

/// A sum of measurements carried very far may leave the range of numbers.
fn finite(ms: f64) -> Result<f64, AicError> {
    if ms.is_finite() && ms >= 0.0 {
        Ok(ms)
    } else {
        Err(invalid(format!("it would take {ms} ms")))
    }
}

fn prefix_too_long(isl: u32, prefix: u32) -> AicError {
    invalid(format!(
        "{prefix} tokens in KV of a prompt of {isl}: at least one must be new"
    ))
}

fn invalid(what: String) -> AicError {
    AicError::InvalidStep(what)
}
