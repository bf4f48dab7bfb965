//! Matrix multiplications.

use sim_api::Coverage;

use super::bind::Binder;
use crate::error::AicError;
use crate::interp::{Blend, BoundGrid, BoundSites, GemmSol, Line, Sol, Timed};
use crate::quant::WeightFormat;
use crate::sol::{CastLight, GemmLight};
use crate::table::Grid;

/// Bytes moved for each element by computing scales of activations, and by quantising with fixed ones.
const COMPUTE_SCALE_BYTES: f64 = 2.0;
const SCALE_MATRIX_BYTES: f64 = 3.0;

/// A multiplication of (tokens, k) by (k, n).
#[derive(Debug, Clone)]
pub(crate) struct BoundGemm {
    n: f64,
    k: f64,
    sites: BoundSites,
    light: GemmLight,
    /// With fixed scales: what the measurement with computed ones has in excess.
    saved: Option<Saved>,
    missing: AicError,
}

/// Kernels that do not run with fixed scales.
#[derive(Debug, Clone)]
struct Saved {
    compute_scale: ClampedGrid,
    scale_matrix: Option<ClampedGrid>,
}

/// A table over (m, k) at one k, read at the nearest point inside its range.
#[derive(Debug, Clone)]
struct ClampedGrid {
    values: ClampedValues,
    light: CastLight,
    m: (f64, f64),
    k: f64,
    k_inside: f64,
    /// Beyond the range the value grows in proportion to the elements.
    grows: bool,
}

#[derive(Debug, Clone)]
enum ClampedValues {
    /// Over m, where every m was measured around k; what a value rests on at best.
    Line(Line, Coverage),
    Grid(Box<BoundGrid<CastLight>>),
}

impl BoundGemm {
    pub(super) fn bind(
        binder: &Binder<'_>,
        n: u64,
        k: u64,
        format: WeightFormat,
        low_precision_input: bool,
    ) -> Result<Self, AicError> {
        let flops = binder.flops(format)?;
        let light = GemmLight::new(binder.gpu, format, flops);
        let table = match format {
            WeightFormat::Fp8Static => WeightFormat::Fp8,
            other => other,
        };
        let missing = |what: String| binder.missing("GEMM", what);
        let sites = binder
            .tables
            .gemm(table.name())
            .ok_or_else(|| missing(format!("{table} weights")))?;
        let saved = if format == WeightFormat::Fp8Static {
            let grid = |grid: Option<&Grid>, what: &str, bytes, grows| {
                let light = CastLight::new(binder.gpu, bytes);
                let missing = || missing(format!("{what} of fp8 activations"));
                let grid = grid.ok_or_else(missing)?;
                ClampedGrid::new(grid, light, k, grows).ok_or_else(missing)
            };
            let tables = binder.tables;
            let scales = tables.computescale("fp8");
            let matrix = tables.scale_matrix("fp8");
            Some(Saved {
                compute_scale: grid(scales, "scales", COMPUTE_SCALE_BYTES, false)?,
                scale_matrix: if low_precision_input {
                    Some(grid(matrix, "quantisation", SCALE_MATRIX_BYTES, true)?)
                } else {
                    None
                },
            })
        } else {
            None
        };
        Ok(Self {
            n: n as f64,
            k: k as f64,
            sites: BoundSites::new(sites, n, k, &light),
            light,
            saved,
            missing: missing(format!("shapes near n = {n}, k = {k} in {table}")),
        })
    }

    #[inline]
    pub(super) fn at(&self, tokens: f64) -> Result<Timed, AicError> {
        let Some(measured) = self.sites.at(tokens, &self.light) else {
            return Err(self.missing.clone());
        };
        let Some(saved) = &self.saved else {
            return Ok(measured);
        };
        let mut value = measured;
        let mut save = |part: Timed| {
            value = Timed::new(value.ms - part.ms, value.coverage.max(part.coverage));
        };
        save(saved.compute_scale.at(tokens));
        if let Some(matrix) = &saved.scale_matrix {
            save(matrix.at(tokens));
        }
        let least = self.light.at(tokens, self.n, self.k);
        Ok(Timed::new(value.ms.max(least).max(0.0), value.coverage))
    }
}

impl ClampedGrid {
    fn new(grid: &Grid, light: CastLight, k: u64, grows: bool) -> Option<Self> {
        let bound = BoundGrid::new(grid, 1, Blend::Linear, light)?;
        let [m, k_range] = bound.ranges()?;
        let k = k as f64;
        let k_inside = k.clamp(k_range.0, k_range.1);
        let values = match bound.column(k_inside) {
            Some((line, coverage)) => ClampedValues::Line(line, coverage),
            None => ClampedValues::Grid(Box::new(bound)),
        };
        Some(Self {
            values,
            light,
            m,
            k,
            k_inside,
            grows,
        })
    }

    #[inline]
    fn at(&self, tokens: f64) -> Timed {
        let m = tokens.clamp(self.m.0, self.m.1);
        let value = self.inside(m);
        if m == tokens && self.k_inside == self.k {
            return value;
        }
        let scale = if self.grows {
            self.light.at(1.0, tokens, self.k) / self.light.at(1.0, m, self.k_inside)
        } else {
            1.0
        };
        Timed::new(value.ms * scale, Coverage::Extrapolated)
    }

    #[inline]
    fn inside(&self, m: f64) -> Timed {
        match &self.values {
            ClampedValues::Line(line, coverage) => {
                let value = line.inside(m).unwrap_or(Timed::ZERO);
                Timed::new(value.ms, value.coverage.max(*coverage))
            }
            ClampedValues::Grid(grid) => grid.at(m, self.k_inside),
        }
    }
}
