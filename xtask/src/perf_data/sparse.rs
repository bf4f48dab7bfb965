//! Experts, latent attention and communication.

use aic_perf::table::{SliceKey, TableId};
use anyhow::{Result, bail};

use super::cells::{Cell, Grouped, curve, for_each_row, grid};
use super::chain;
use super::pack::Packer;
use super::rows::Row;

/// The kernel whose rows make up the low-latency table.
const LOW_LATENCY_KERNEL: &str = "moe_torch_flow_min_latency";

/// Packs expert layers and their low-latency kernels.
pub(super) fn moe(packer: &mut Packer<'_>) -> Result<()> {
    let files = packer.files("moe")?;
    let (mut normal, mut low_latency) = (Grouped::default(), Grouped::default());
    let mut distributions = Vec::new();
    for_each_row(
        packer.catalogue,
        packer.target,
        "moe",
        &files,
        |source, row| {
            let kernel = row.text("kernel_source")?;
            let dtype = moe_dtype(row.text("moe_dtype")?, kernel);
            let distribution = row.text("distribution")?;
            let mut numbers = [0; 6];
            let columns = [
                "topk",
                "num_experts",
                "hidden_size",
                "inter_size",
                "moe_tp_size",
                "moe_ep_size",
            ];
            for (number, column) in numbers.iter_mut().zip(columns) {
                *number = row.number(column)?;
            }
            let slice = SliceKey::new(&[dtype, distribution], &numbers);
            let cell = Cell {
                latency_ms: row.latency()?,
                source,
            };
            let key = [row.number("num_tokens")?, 0, 0];
            if kernel == LOW_LATENCY_KERNEL {
                low_latency.add(slice, key, cell);
            } else {
                let pair = (dtype.to_owned(), distribution.to_owned());
                if !distributions.contains(&pair) {
                    distributions.push(pair);
                }
                normal.add(slice, key, cell);
            }
            Ok(())
        },
    )?;
    for (dtype, distribution) in distributions {
        packer.tables.add_moe_distribution(dtype, distribution);
    }
    packer.add_slices(TableId::Moe, &normal, &files, curve)?;
    packer.add_slices(TableId::MoeLowLatency, &low_latency, &files, curve)
}

/// Two kernels have a number format of their own.
fn moe_dtype<'a>(dtype: &'a str, kernel: &str) -> &'a str {
    match (dtype, kernel) {
        ("w4a8_mxfp4_mxfp8", "sglang_mxfp4_flashinfer_trtllm_moe") => "w4a8_mxfp4_mxfp8_trtllm",
        ("w4a16_mxfp4", "sglang_flashinfer_cutlass_moe") => "w4a16_mxfp4_cutlass",
        _ => dtype,
    }
}

/// Packs one of the four tables of latent attention.
pub(super) fn mla(packer: &mut Packer<'_>, table: TableId) -> Result<()> {
    let files = packer.files(table.name())?;
    let mut grouped = Grouped::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        table.name(),
        &files,
        |source, row| {
            let (heads, batch, isl) = (
                row.number("num_heads")?,
                row.number("batch_size")?,
                row.number("isl")?,
            );
            let mut names = Vec::new();
            if matches!(table, TableId::ContextMla | TableId::MlaContextModule) {
                names.push(row.text("mla_dtype")?);
            }
            names.push(row.text("kv_cache_dtype")?);
            let mut numbers = Vec::new();
            if matches!(
                table,
                TableId::MlaContextModule | TableId::MlaGenerationModule
            ) {
                names.push(row.text("gemm_type")?);
                numbers.push(native_heads(row)?);
            }
            let key = if matches!(table, TableId::ContextMla | TableId::MlaContextModule) {
                [heads, isl, batch]
            } else {
                [heads, batch, isl + row.number("step")?]
            };
            let cell = Cell {
                latency_ms: row.latency()?,
                source,
            };
            grouped.add(SliceKey::new(&names, &numbers), key, cell);
            Ok(())
        },
    )?;
    packer.add_slices(table, &grouped, &files, |cells| grid(3, cells))
}

/// Attention heads of the whole model that a block was measured for.
fn native_heads(row: Row<'_>) -> Result<u32> {
    let model = row.text("model")?;
    let name = model.rsplit('/').next().unwrap_or(model);
    if ["DeepSeek-V3", "DeepSeek-R1", "DeepSeek-V3.1"]
        .iter()
        .any(|known| name.starts_with(known))
    {
        return Ok(128);
    }
    if name.starts_with("Kimi-K3") {
        return Ok(96);
    }
    bail!("{model:?} has an unknown number of attention heads")
}

/// Packs the multiplications around decode latent attention.
pub(super) fn mla_bmm(packer: &mut Packer<'_>) -> Result<()> {
    let files = packer.files("mla_bmm")?;
    let mut grouped = Grouped::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        "mla_bmm",
        &files,
        |source, row| {
            let names = [row.text("bmm_dtype")?, row.text("op_name")?];
            let slice = SliceKey::new(&names, &[row.number("num_heads")?]);
            let cell = Cell {
                latency_ms: row.latency()?,
                source,
            };
            grouped.add(slice, [row.number("num_tokens")?, 0, 0], cell);
            Ok(())
        },
    )?;
    packer.add_slices(TableId::MlaBmm, &grouped, &files, curve)
}

/// Packs the framework's all-reduce as captured in a graph (what serving uses), where both ways were measured.
pub(super) fn allreduce(packer: &mut Packer<'_>) -> Result<()> {
    let files = packer.files("custom_allreduce")?;
    // The only data for this GPU is of the eager kind.
    let keep_eager = packer.target.sku == "b60";
    let mut grouped = Grouped::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        "custom_allreduce",
        &files,
        |source, row| {
            let is_eager = ["kernel_source", "backend"].iter().any(|column| {
                row.text_or_none(column)
                    .is_some_and(|text| text.ends_with("_eager"))
            });
            if keep_eager || !is_eager {
                let slice = SliceKey::new(&[], &[row.number("num_gpus")?]);
                let cell = Cell {
                    latency_ms: row.latency()?,
                    source,
                };
                grouped.add(slice, [row.number("message_size")?, 0, 0], cell);
            }
            Ok(())
        },
    )?;
    packer.add_slices(TableId::CustomAllreduce, &grouped, &files, curve)
}

/// Packs NCCL's collectives in half precision.
pub(super) fn nccl(packer: &mut Packer<'_>) -> Result<()> {
    let version = &packer.system.misc.nccl_version;
    let files = chain::nccl(packer.catalogue, &packer.target.sku, version);
    let mut grouped = Grouped::default();
    for_each_row(
        packer.catalogue,
        packer.target,
        "nccl",
        &files,
        |source, row| {
            if row.text("nccl_dtype")? == "half" {
                let slice = SliceKey::new(&[row.text("op_name")?], &[row.number("num_gpus")?]);
                let cell = Cell {
                    latency_ms: row.latency()?,
                    source,
                };
                grouped.add(slice, [row.number("message_size")?, 0, 0], cell);
            }
            Ok(())
        },
    )?;
    packer.add_slices(TableId::Nccl, &grouped, &files, curve)
}
