//! Attention over grouped key-value heads, prefill and decode.

use aic_perf::table::{SliceKey, TableId};
use anyhow::Result;

use super::cells::{Cell, for_each_row, grid};
use super::lanes::Lanes;
use super::pack::Packer;
use super::roofline::{DecodeAttention, decode_attention_ms};
use super::rows::Row;

/// The parts of a row that both phases share.
struct Shape {
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    window: u32,
    batch: u32,
}

impl Shape {
    fn of(row: Row<'_>) -> Result<Self> {
        Ok(Self {
            heads: row.number("num_heads")?,
            kv_heads: row.number("num_key_value_heads")?,
            head_dim: row.number("head_dim")?,
            window: row.number_or_none("window_size").unwrap_or(0),
            batch: row.number("batch_size")?,
        })
    }

    /// The whole numbers of the slice's key: 0 key-value heads where every head has its own.
    fn numbers(&self) -> [u32; 3] {
        let kv_heads = if self.kv_heads == self.heads {
            0
        } else {
            self.kv_heads
        };
        [kv_heads, self.head_dim, self.window]
    }
}

/// Packs prefill attention.
pub(super) fn context(packer: &mut Packer<'_>) -> Result<()> {
    let table = TableId::ContextAttention;
    let files = packer.files(table.name())?;
    let mut lanes = Lanes::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        table.name(),
        &files,
        |source, row| {
            let shape = Shape::of(row)?;
            let names = [row.text("attn_dtype")?, row.text("kv_cache_dtype")?];
            let key = [shape.heads, row.number("isl")?, shape.batch];
            let cell = Cell {
                latency_ms: row.latency()?,
                source,
            };
            let slice = SliceKey::new(&names, &shape.numbers());
            lanes.add(
                row.text("kernel_source")?,
                slice,
                (key, cell),
                files[source].requested,
            );
            Ok(())
        },
    )?;
    let grouped = packer.resolve_lanes(table, lanes);
    packer.add_slices(table, &grouped, &files, |cells| grid(3, cells))
}

/// Packs decode attention, implausibly fast measurements raised to the roofline.
pub(super) fn generation(packer: &mut Packer<'_>) -> Result<()> {
    let table = TableId::GenerationAttention;
    let files = packer.files(table.name())?;
    let mut lanes = Lanes::default();
    let gpu = &packer.system.gpu;
    for_each_row(
        packer.catalogue,
        packer.target,
        table.name(),
        &files,
        |source, row| {
            let shape = Shape::of(row)?;
            let kv_dtype = row.text("kv_cache_dtype")?;
            let context = row.number("isl")? + row.number("step")?;
            let floor = decode_attention_ms(
                gpu,
                DecodeAttention {
                    kv_dtype,
                    heads: shape.heads,
                    kv_heads: shape.kv_heads,
                    head_dim: shape.head_dim,
                    window: shape.window,
                    batch: shape.batch,
                    context,
                },
            );
            let latency_ms = row.latency()?.max(floor.unwrap_or(0.0));
            let key = [shape.heads, shape.batch, context];
            let slice = SliceKey::new(&[kv_dtype], &shape.numbers());
            let cell = Cell { latency_ms, source };
            lanes.add(
                row.text("kernel_source")?,
                slice,
                (key, cell),
                files[source].requested,
            );
            Ok(())
        },
    )?;
    let grouped = packer.resolve_lanes(table, lanes);
    packer.add_slices(table, &grouped, &files, |cells| grid(3, cells))
}
