//! Communication between GPUs.

use sim_api::Coverage;

use super::TokenOp;
use super::bind::Binder;
use crate::backend::Backend;
use crate::error::AicError;
use crate::interp::{Line, Timed};
use crate::oplist::Half;
use crate::quant::WeightFormat;

/// NCCL's names of collectives.
const ALL_GATHER: &str = "all_gather";
const REDUCE_SCATTER: &str = "reduce_scatter";

/// A collective of a message that grows with the tokens.
#[derive(Debug, Clone)]
pub(crate) struct BoundCollective {
    line: Line,
    elements_per_token: f64,
    /// For more GPUs than were measured.
    scale: f64,
    coverage: Coverage,
    missing: AicError,
}

impl BoundCollective {
    #[inline]
    pub(super) fn at(&self, tokens: f64) -> Result<Timed, AicError> {
        self.line
            .with_ends(self.elements_per_token * tokens, |size| size)
            .map(|value| Timed::new(value.ms * self.scale, value.coverage.max(self.coverage)))
            .ok_or_else(|| self.missing.clone())
    }
}

impl Binder<'_> {
    /// The framework's all-reduce of `width` elements a token.
    pub(super) fn all_reduce(&self, gpus: u32, width: f64) -> Result<TokenOp, AicError> {
        let most = self.tables.custom_allreduce_gpus().max();
        let line = |gpus| self.tables.custom_allreduce(gpus).map(Line::new);
        self.collective("all-reduce", gpus, width, most, line)
    }

    /// NCCL's collective of `width` elements a token.
    pub(crate) fn nccl(
        &self,
        name: &'static str,
        gpus: u32,
        width: f64,
    ) -> Result<TokenOp, AicError> {
        let most = self.tables.nccl_gpus(name).max();
        let line = |gpus| self.tables.nccl(name, gpus).map(Line::new);
        self.collective(name, gpus, width, most, line)
    }

    /// A collective measured on up to `most` GPUs; for more it grows as a ring does over the slowest link.
    fn collective(
        &self,
        name: &'static str,
        gpus: u32,
        width: f64,
        most: Option<u32>,
        line: impl Fn(u32) -> Option<Line>,
    ) -> Result<TokenOp, AicError> {
        if gpus <= 1 {
            return Ok(TokenOp::Nothing);
        }
        let missing = self.missing(name, format!("{gpus} GPUs"));
        let measured = most.ok_or_else(|| missing.clone())?.min(gpus);
        let line = line(measured).ok_or_else(|| missing.clone())?;
        let (mut scale, mut coverage) = (1.0, Coverage::Measured);
        if measured < gpus {
            let (wanted, have) = (f64::from(gpus), f64::from(measured));
            let ring = (wanted - 1.0) / wanted * have / (have - 1.0).max(1.0);
            scale = ring * self.gpu.p2p_bandwidth(measured) / self.gpu.p2p_bandwidth(gpus);
            coverage = Coverage::Extrapolated;
        }
        Ok(TokenOp::Collective(Box::new(BoundCollective {
            line,
            elements_per_token: width,
            scale,
            coverage,
            missing,
        })))
    }

    /// The way of tokens to the experts or back. With tensor-parallel experts only, both ways cost an all-reduce: they
    /// stand for the ones after attention and after the experts.
    pub(super) fn dispatch(
        &self,
        hidden: u32,
        gpus: u32,
        attention_dp: u32,
        format: WeightFormat,
        half: Half,
    ) -> Result<TokenOp, AicError> {
        let width = f64::from(hidden);
        let wide = width * f64::from(attention_dp);
        let attention_tp = (gpus / attention_dp).max(1);
        let (split, replicated) = (attention_tp > 1, attention_dp > 1);
        let exchange = match half {
            Half::Pre => ALL_GATHER,
            Half::Post => REDUCE_SCATTER,
        };
        match self.backend {
            Backend::Vllm => {
                let mut parts = [TokenOp::Nothing, TokenOp::Nothing];
                if split {
                    parts[0] = self.all_reduce(gpus, width)?;
                }
                if replicated {
                    parts[1] = self.nccl(exchange, gpus, wide)?;
                }
                Ok(TokenOp::Pair(Box::new(parts)))
            }
            Backend::Sglang if split && replicated => {
                let pair = match half {
                    Half::Pre => [
                        self.nccl(REDUCE_SCATTER, attention_tp, width)?,
                        self.nccl(ALL_GATHER, gpus, wide)?,
                    ],
                    Half::Post => [
                        self.nccl(REDUCE_SCATTER, gpus, wide)?,
                        self.nccl(ALL_GATHER, attention_tp, width)?,
                    ],
                };
                Ok(TokenOp::Pair(Box::new(pair)))
            }
            Backend::Trtllm if self.gpu.sm == 100 && replicated => {
                let width = match half {
                    Half::Pre => wide * gathered_share(format),
                    Half::Post => wide,
                };
                self.nccl(exchange, gpus, width)
            }
            Backend::Sglang | Backend::Trtllm if split => self.all_reduce(gpus, width),
            Backend::Sglang | Backend::Trtllm if replicated => self.nccl(exchange, gpus, wide),
            Backend::Sglang | Backend::Trtllm => Ok(TokenOp::Nothing),
        }
    }
}

/// What quantised activations weigh of bfloat16 ones.
fn gathered_share(format: WeightFormat) -> f64 {
    match format {
        WeightFormat::Nvfp4 => 0.28125,
        WeightFormat::Fp8 | WeightFormat::Fp8Block => 0.5,
        _ => 1.0,
    }
}
