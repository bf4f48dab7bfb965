//! Matrix multiplication and activation quantisation.

use aic_perf::table::{Curve, SiteTable, Slice, SliceKey, TableId};
use anyhow::Result;
use indexmap::IndexMap;

use super::cells::{Cell, Grouped, for_each_row, grid};
use super::pack::Packer;
use super::roofline;
use super::select::is_wanted;

/// Latencies by m, n and k, each in the order it first came.
type BySize = IndexMap<u32, IndexMap<u32, IndexMap<u32, Cell>>>;

/// Packs the multiplications: implausibly fast ones raised to the roofline, sites in the order in which a walk over
/// m, then n, then k (each as first seen) meets them.
pub(super) fn gemm(packer: &mut Packer<'_>) -> Result<()> {
    let files = packer.files("gemm")?;
    let mut dtypes: IndexMap<String, BySize> = IndexMap::new();
    let gpu = &packer.system.gpu;
    for_each_row(
        packer.catalogue,
        packer.target,
        "gemm",
        &files,
        |source, row| {
            let dtype = row.text("gemm_dtype")?;
            if !is_wanted(TableId::Gemm, &SliceKey::new(&[dtype], &[])) {
                return Ok(());
            }
            let size = [row.number("m")?, row.number("n")?, row.number("k")?];
            let floor = roofline::gemm_ms(gpu, dtype, size).unwrap_or(0.0);
            let cell = Cell {
                latency_ms: row.latency()?.max(floor),
                source,
            };
            let by_size = dtypes.entry(dtype.to_owned()).or_default();
            let by_k = by_size
                .entry(size[0])
                .or_default()
                .entry(size[1])
                .or_default();
            by_k.entry(size[2]).or_insert(cell);
            Ok(())
        },
    )?;
    let mut counts = vec![0; files.len()];
    for (dtype, by_size) in &dtypes {
        let mut sites: IndexMap<(u32, u32), Vec<(u32, f64)>> = IndexMap::new();
        for (m, by_n) in by_size {
            for (n, by_k) in by_n {
                for (k, cell) in by_k {
                    counts[cell.source] += 1;
                    sites
                        .entry((*n, *k))
                        .or_default()
                        .push((*m, cell.latency_ms));
                }
            }
        }
        let mut curves = Vec::with_capacity(sites.len());
        for (site, mut points) in sites {
            points.sort_by_key(|(m, _)| *m);
            curves.push((site, Curve::new(points)?));
        }
        let slice = Slice::Sites(SiteTable::new(curves)?);
        packer
            .tables
            .insert(TableId::Gemm, SliceKey::new(&[dtype], &[]), slice)?;
    }
    packer.note_sources(TableId::Gemm, &files, &counts);
    Ok(())
}

/// Packs a table of activation quantisation over m and k.
pub(super) fn quantise(packer: &mut Packer<'_>, table: TableId) -> Result<()> {
    let files = packer.files(table.name())?;
    let mut grouped = Grouped::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        table.name(),
        &files,
        |source, row| {
            let slice = SliceKey::new(&[row.text("quant_dtype")?], &[]);
            let key = [row.number("m")?, row.number("k")?, 0];
            grouped.add(
                slice,
                key,
                Cell {
                    latency_ms: row.latency()?,
                    source,
                },
            );
            Ok(())
        },
    )?;
    packer.add_slices(table, &grouped, &files, |cells| grid(2, cells))
}
