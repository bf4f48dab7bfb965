//! Experts, and the multiplications into and out of the latent of decode attention.

use super::bind::Binder;
use crate::error::AicError;
use crate::hw::GpuSpec;
use crate::interp::{Line, Timed};
use crate::oplist::{Half, OpKind};
use crate::quant::WeightFormat;
use crate::sol::{self, MoeLight};
use crate::table::MoeShape;

/// Up to this many tokens the kernels for few tokens are used, where they were measured.
const FEW_TOKENS: f64 = 128.0;

/// The experts of a layer.
#[derive(Debug, Clone)]
pub(crate) struct BoundMoe {
    attention_dp: f64,
    line: Line,
    few_tokens: Option<Line>,
    light: MoeLight,
    missing: AicError,
}

impl BoundMoe {
    /// Binds an [`OpKind::Moe`].
    pub(super) fn bind(binder: &Binder<'_>, op: &OpKind) -> Result<Self, AicError> {
        let &OpKind::Moe {
            hidden,
            inter,
            topk,
            experts,
            tp,
            ep,
            attention_dp,
            format,
            distribution,
        } = op
        else {
            return Err(binder.missing("experts", format!("{op:?}")));
        };
        let flops = binder.flops(format)?;
        let tables = binder.tables;
        let shape = MoeShape {
            topk,
            experts,
            hidden,
            inter,
            tp,
            ep,
        };
        let distribution = if tables.has_moe_distribution(format.name(), distribution) {
            distribution
        } else {
            "uniform"
        };
        let missing = binder.missing(
            "experts",
            format!(
                "{experts} experts, {topk} a token, {hidden} x {inter} in {format}, tensor-parallel {tp}, \
                 expert-parallel {ep}"
            ),
        );
        let curve = tables.moe(format.name(), distribution, shape);
        let few_tokens = (format == WeightFormat::Nvfp4)
            .then(|| tables.moe_low_latency(format.name(), distribution, shape))
            .flatten();
        let line = curve.or(few_tokens).ok_or_else(|| missing.clone())?;
        Ok(Self {
            attention_dp: f64::from(attention_dp),
            line: Line::new(line),
            few_tokens: few_tokens.map(Line::new),
            light: MoeLight {
                hidden,
                inter,
                topk,
                experts,
                tp,
                ep,
                flops,
                mem_bw: binder.gpu.mem_bw,
                bytes: format.bytes(),
            },
            missing,
        })
    }

    #[inline]
    pub(super) fn at(&self, tokens: f64) -> Result<Timed, AicError> {
        let tokens = tokens * self.attention_dp;
        let line = match &self.few_tokens {
            Some(few) if tokens <= FEW_TOKENS => few,
            _ => &self.line,
        };
        // One point says nothing of fewer tokens.
        if line.len() == 1 && tokens < line.first_key() {
            return Err(self.missing.clone());
        }
        line.with_ends(tokens, |at| self.light.at(at))
            .ok_or_else(|| self.missing.clone())
    }
}

/// A batched multiplication into or out of the latent.
#[derive(Debug, Clone)]
pub(crate) struct BoundLatentBmm {
    gpu: &'static GpuSpec,
    line: Line,
    /// Heads of the measurement.
    heads: f64,
    scale: f64,
    format: WeightFormat,
    flops: f64,
    missing: AicError,
}

impl BoundLatentBmm {
    pub(super) fn bind(
        binder: &Binder<'_>,
        heads: u32,
        format: WeightFormat,
        half: Half,
    ) -> Result<Self, AicError> {
        binder.flops(format)?;
        let format = if binder.tables.has_mla_bmm_dtype(format.name()) {
            format
        } else {
            WeightFormat::Bfloat16
        };
        let flops = binder.flops(format)?;
        let op = match half {
            Half::Pre => "mla_gen_pre",
            Half::Post => "mla_gen_post",
        };
        let slice = |heads| binder.tables.mla_bmm(format.name(), op, heads);
        let padded = heads.checked_next_power_of_two().unwrap_or(heads);
        let missing = binder.missing(
            "latent multiplication",
            format!("{heads} heads in {format}"),
        );
        let (curve, measured) = slice(heads)
            .map(|curve| (curve, heads))
            .or_else(|| Some((slice(padded)?, padded)))
            .ok_or_else(|| missing.clone())?;
        Ok(Self {
            gpu: binder.gpu,
            line: Line::new(curve),
            heads: f64::from(measured),
            scale: f64::from(heads) / f64::from(measured),
            format,
            flops,
            missing,
        })
    }

    #[inline]
    pub(super) fn at(&self, tokens: f64) -> Result<Timed, AicError> {
        let light = |at| sol::mla_bmm(self.gpu, self.format, self.flops, self.heads, at);
        self.line
            .with_ends(tokens, light)
            .map(|value| value.times(self.scale))
            .ok_or_else(|| self.missing.clone())
    }
}
