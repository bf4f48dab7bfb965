//! From operations to bound operations: look up what each needs of the tables, once.

use std::sync::Arc;

use super::attention::{DecodeAttention, PrefillAttention};
use super::experts::{BoundLatentBmm, BoundMoe};
use super::gemm::BoundGemm;
use super::{BoundKind, BoundOp, TokenOp};
use crate::backend::Backend;
use crate::error::AicError;
use crate::hw::GpuSpec;
use crate::interp::{Blend, BoundGrid, Sol};
use crate::oplist::{NamedOp, OpKind};
use crate::quant::WeightFormat;
use crate::table::{Grid, PerfTables};

/// What operations are bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binder<'a> {
    pub(crate) gpu: &'static GpuSpec,
    pub(crate) backend: Backend,
    pub(crate) tables: &'a PerfTables,
}

impl Binder<'_> {
    /// Binds a list.
    pub(crate) fn bind_all(&self, ops: &[NamedOp]) -> Vec<BoundOp> {
        ops.iter().map(|op| self.bind(op)).collect()
    }

    /// Binds an operation; one that was not measured is bound to its error.
    pub(crate) fn bind(&self, named: &NamedOp) -> BoundOp {
        let kind = self
            .bind_kind(&named.op.kind, named.name.contains("logits_gemm"))
            .unwrap_or_else(|error| BoundKind::Unavailable(Box::new(error)));
        BoundOp {
            name: named.name,
            times: named.op.times,
            kind,
        }
    }

    fn bind_kind(&self, kind: &OpKind, one_token_a_request: bool) -> Result<BoundKind, AicError> {
        let token_op = match kind {
            OpKind::ContextAttention { .. }
            | OpKind::ContextMla { .. }
            | OpKind::MlaContextModule { .. } => {
                let attention = PrefillAttention::bind(self, kind)?;
                return Ok(BoundKind::Prefill(Box::new(attention)));
            }
            OpKind::GenerationAttention { .. }
            | OpKind::GenerationMla { .. }
            | OpKind::MlaGenerationModule { .. } => {
                let attention = DecodeAttention::bind(self, kind)?;
                return Ok(BoundKind::Decode(Arc::new(attention)));
            }
            OpKind::Overlap { a, b } => {
                return Ok(BoundKind::Overlap(self.bind_all(a), self.bind_all(b)));
            }
            OpKind::Fallback { primary, parts } => return self.bind_block(primary, parts),
            OpKind::Embedding { width, .. } => self.linear(*width as f64 * 2.0),
            OpKind::Elementwise { elements } => self.linear(*elements as f64 * 2.0),
            &OpKind::Gemm {
                n,
                k,
                format,
                low_precision_input,
            } => {
                let gemm = BoundGemm::bind(self, n, k, format, low_precision_input)?;
                TokenOp::Gemm(Box::new(gemm))
            }
            OpKind::Moe { .. } => TokenOp::Moe(Box::new(BoundMoe::bind(self, kind)?)),
            &OpKind::MlaBmm {
                heads,
                format,
                half,
            } => {
                let bmm = BoundLatentBmm::bind(self, heads, format, half)?;
                TokenOp::LatentBmm(Box::new(bmm))
            }
            &OpKind::MoeDispatch {
                hidden,
                moe_gpus,
                attention_dp,
                format,
                half,
            } => self.dispatch(hidden, moe_gpus, attention_dp, format, half)?,
            &OpKind::AllReduce { width, gpus } => self.all_reduce(gpus, width as f64)?,
            &OpKind::P2p { width, stages } => self.hop(width, stages),
        };
        Ok(if one_token_a_request {
            BoundKind::Requests(token_op)
        } else {
            BoundKind::Tokens(token_op)
        })
    }

    /// The measured block, or its parts if it was not measured. A number format that the GPU lacks is an error either
    /// way.
    fn bind_block(&self, primary: &NamedOp, parts: &[NamedOp]) -> Result<BoundKind, AicError> {
        let block = self.bind(primary);
        match block.unavailable() {
            Some(error) if !error.is_missing_data() => Err(error.clone()),
            Some(_) => Ok(BoundKind::Group(self.bind_all(parts))),
            None => Ok(BoundKind::Group(vec![block])),
        }
    }

    /// A kernel that only moves data.
    fn linear(&self, bytes_per_token: f64) -> TokenOp {
        TokenOp::Linear {
            ms: self.gpu.memory_ms(0.0),
            ms_per_token: self.gpu.ms_per_byte() * bytes_per_token,
        }
    }

    /// One hop between pipeline stages: two bytes an element.
    fn hop(&self, width: u64, stages: u32) -> TokenOp {
        if stages <= 1 {
            return TokenOp::Nothing;
        }
        TokenOp::Linear {
            ms: self.gpu.p2p_latency * 1e3,
            ms_per_token: width as f64 * 2.0 / self.gpu.inter_node_bw * 1e3,
        }
    }

    /// A three-axis table bound to heads.
    pub(super) fn grid<S: Sol>(
        &self,
        operation: &'static str,
        grid: Option<&Grid>,
        heads: u32,
        blend: Blend,
        sol: S,
        what: impl Fn() -> String,
    ) -> Result<BoundGrid<S>, AicError> {
        grid.and_then(|grid| BoundGrid::new(grid, heads, blend, sol))
            .ok_or_else(|| self.missing(operation, what()))
    }

    /// The GPU's rate in a format.
    pub(super) fn flops(&self, format: WeightFormat) -> Result<f64, AicError> {
        self.gpu
            .flops(format.flops())
            .ok_or_else(|| self.no_flops(format.name()))
    }

    pub(super) fn no_flops(&self, format: &'static str) -> AicError {
        AicError::MissingSystemFlops {
            system: self.gpu.name,
            format,
        }
    }

    pub(super) fn missing(&self, operation: &'static str, what: String) -> AicError {
        AicError::MissingPerfData {
            operation,
            system: self.gpu.name.to_owned(),
            backend: self.backend.name().to_owned(),
            what,
        }
    }
}
