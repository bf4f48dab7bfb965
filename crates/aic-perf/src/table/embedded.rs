//! Packed files: those that are part of the program, and a user's own.

use std::path::Path;
use std::sync::Arc;

use super::{PerfTables, TableError};

/// GPU, framework and contents of every packed file of this build, GPUs in the order in which they are listed.
const FILES: &[(&str, &str, &[u8])] = &[
    #[cfg(feature = "a100_sxm")]
    (
        "a100_sxm",
        "vllm",
        include_bytes!("../../data/a100_sxm__vllm.aicp"),
    ),
    #[cfg(feature = "a100_sxm")]
    (
        "a100_sxm",
        "sglang",
        include_bytes!("../../data/a100_sxm__sglang.aicp"),
    ),
    #[cfg(feature = "a100_sxm")]
    (
        "a100_sxm",
        "trtllm",
        include_bytes!("../../data/a100_sxm__trtllm.aicp"),
    ),
    #[cfg(feature = "h100_sxm")]
    (
        "h100_sxm",
        "vllm",
        include_bytes!("../../data/h100_sxm__vllm.aicp"),
    ),
    #[cfg(feature = "h100_sxm")]
    (
        "h100_sxm",
        "sglang",
        include_bytes!("../../data/h100_sxm__sglang.aicp"),
    ),
    #[cfg(feature = "h100_sxm")]
    (
        "h100_sxm",
        "trtllm",
        include_bytes!("../../data/h100_sxm__trtllm.aicp"),
    ),
    #[cfg(feature = "h200_sxm")]
    (
        "h200_sxm",
        "vllm",
        include_bytes!("../../data/h200_sxm__vllm.aicp"),
    ),
    #[cfg(feature = "h200_sxm")]
    (
        "h200_sxm",
        "sglang",
        include_bytes!("../../data/h200_sxm__sglang.aicp"),
    ),
    #[cfg(feature = "h200_sxm")]
    (
        "h200_sxm",
        "trtllm",
        include_bytes!("../../data/h200_sxm__trtllm.aicp"),
    ),
    #[cfg(feature = "b200_sxm")]
    (
        "b200_sxm",
        "vllm",
        include_bytes!("../../data/b200_sxm__vllm.aicp"),
    ),
    #[cfg(feature = "b200_sxm")]
    (
        "b200_sxm",
        "sglang",
        include_bytes!("../../data/b200_sxm__sglang.aicp"),
    ),
    #[cfg(feature = "b200_sxm")]
    (
        "b200_sxm",
        "trtllm",
        include_bytes!("../../data/b200_sxm__trtllm.aicp"),
    ),
    #[cfg(feature = "gb200")]
    (
        "gb200",
        "vllm",
        include_bytes!("../../data/gb200__vllm.aicp"),
    ),
    #[cfg(feature = "gb200")]
    (
        "gb200",
        "sglang",
        include_bytes!("../../data/gb200__sglang.aicp"),
    ),
    #[cfg(feature = "gb200")]
    (
        "gb200",
        "trtllm",
        include_bytes!("../../data/gb200__trtllm.aicp"),
    ),
    #[cfg(feature = "l40s")]
    ("l40s", "vllm", include_bytes!("../../data/l40s__vllm.aicp")),
    #[cfg(feature = "l40s")]
    (
        "l40s",
        "sglang",
        include_bytes!("../../data/l40s__sglang.aicp"),
    ),
    #[cfg(feature = "l40s")]
    (
        "l40s",
        "trtllm",
        include_bytes!("../../data/l40s__trtllm.aicp"),
    ),
    #[cfg(feature = "rtx_pro_6000_server")]
    (
        "rtx_pro_6000_server",
        "vllm",
        include_bytes!("../../data/rtx_pro_6000_server__vllm.aicp"),
    ),
    #[cfg(feature = "rtx_pro_6000_server")]
    (
        "rtx_pro_6000_server",
        "sglang",
        include_bytes!("../../data/rtx_pro_6000_server__sglang.aicp"),
    ),
    #[cfg(feature = "rtx_pro_6000_server")]
    (
        "rtx_pro_6000_server",
        "trtllm",
        include_bytes!("../../data/rtx_pro_6000_server__trtllm.aicp"),
    ),
];

impl PerfTables {
    /// The tables of a pair that is part of this build, inflated on each call (a few ms).
    ///
    /// # Errors
    /// [`TableError::NotEmbedded`] naming the pairs there are.
    pub fn embedded(sku: &str, backend: &str) -> Result<Arc<Self>, TableError> {
        let file = FILES
            .iter()
            .find(|(own, framework, _)| (*own, *framework) == (sku, backend));
        let Some((_, _, contents)) = file else {
            let pairs: Vec<String> = Self::embedded_pairs()
                .map(|(sku, backend)| format!("{sku} with {backend}"))
                .collect();
            return Err(TableError::NotEmbedded {
                sku: sku.to_owned(),
                backend: backend.to_owned(),
                available: pairs.join(", "),
            });
        };
        load(&file_name(sku, backend), contents, sku, backend)
    }

    /// GPU and framework of every packed file of this build.
    pub fn embedded_pairs() -> impl ExactSizeIterator<Item = (&'static str, &'static str)> {
        FILES.iter().map(|(sku, backend, _)| (*sku, *backend))
    }

    /// The tables of a pair from `<sku>__<backend>.aicp` in a directory.
    ///
    /// # Errors
    /// [`TableError::Unreadable`] if the file cannot be read, [`TableError::Corrupt`], [`TableError::Version`] or
    /// [`TableError::Mismatch`] if it is not what its name says.
    pub fn read_dir(dir: &Path, sku: &str, backend: &str) -> Result<Arc<Self>, TableError> {
        let path = dir.join(file_name(sku, backend));
        let contents = std::fs::read(&path).map_err(|error| TableError::Unreadable {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        load(&path.display().to_string(), &contents, sku, backend)
    }
}

fn file_name(sku: &str, backend: &str) -> String {
    format!("{sku}__{backend}.aicp")
}

fn load(
    file: &str,
    contents: &[u8],
    sku: &str,
    backend: &str,
) -> Result<Arc<PerfTables>, TableError> {
    let tables = PerfTables::unpack(file, contents)?;
    if (tables.sku(), tables.backend()) != (sku, backend) {
        return Err(TableError::Mismatch {
            file: file.to_owned(),
            found: format!("{} with {}", tables.sku(), tables.backend()),
            wanted: format!("{sku} with {backend}"),
        });
    }
    Ok(Arc::new(tables))
}

#[cfg(test)]
mod tests {
    use super::{FILES, file_name};
    use crate::table::{AttentionKey, MoeShape, PerfTables, TableError, TableId};

    #[test]
    fn every_embedded_file_loads_and_has_the_tables_no_model_does_without() {
        for (sku, backend) in PerfTables::embedded_pairs() {
            let tables = PerfTables::embedded(sku, backend).unwrap();
            assert!(!tables.version().is_empty(), "{sku} {backend}");
            for table in [
                TableId::Gemm,
                TableId::ContextAttention,
                TableId::GenerationAttention,
                TableId::Moe,
                TableId::CustomAllreduce,
                TableId::Nccl,
            ] {
                assert!(
                    !tables.slices(table).is_empty(),
                    "{sku} {backend} {}",
                    table.name()
                );
            }
        }
    }

    #[test]
    fn the_rows_of_the_sources_are_the_cells_of_the_slices() {
        for (sku, backend) in PerfTables::embedded_pairs() {
            let tables = PerfTables::embedded(sku, backend).unwrap();
            for table in TableId::ALL {
                let of_table = tables
                    .sources()
                    .iter()
                    .filter(|source| source.table == table);
                let rows: usize = of_table.map(|source| source.rows as usize).sum();
                let cells: usize = tables.slices(table).iter().map(|(_, cells)| cells).sum();
                assert_eq!(rows, cells, "{sku} {backend} {}", table.name());
            }
        }
    }

    #[cfg(feature = "h200_sxm")]
    #[test]
    fn measured_latencies_are_found_where_they_were_measured() {
        fn close(found: Option<f64>, measured: f64) {
            let found = found.expect("a measured point");
            assert!(
                (found / measured - 1.0).abs() < 1e-5,
                "{found} is not {measured}"
            );
        }
        let vllm = PerfTables::embedded("h200_sxm", "vllm").unwrap();
        let gemm = |dtype| {
            vllm.gemm(dtype)
                .and_then(|gemm| gemm.get(65536, 12288)?.get(32768))
        };
        close(gemm("bfloat16"), 63.831_176_757_812_5);
        close(gemm("fp8"), 43.273_640_950_520_836);
        let scale = vllm
            .computescale("fp8")
            .and_then(|grid| grid.get(&[32768, 51200]));
        assert_eq!(scale, Some(0.764_179_229_736_328_3));
        close(
            vllm.nccl("all_gather", 2).and_then(|curve| curve.get(256)),
            0.00517,
        );
        // Measured twice: the graph's time counts, not the eager 0.0208.
        close(
            vllm.custom_allreduce(2).and_then(|curve| curve.get(128)),
            0.004_377_920_031_547_546,
        );
        assert_eq!(vllm.custom_allreduce_gpus().collect::<Vec<_>>(), [2, 4, 8]);
        let sglang = PerfTables::embedded("h200_sxm", "sglang").unwrap();
        let shape = MoeShape {
            topk: 8,
            experts: 256,
            hidden: 7168,
            inter: 2048,
            tp: 1,
            ep: 1,
        };
        let moe = sglang.moe("fp8_block", "balanced", shape);
        close(moe.and_then(|curve| curve.get(64)), 1.398_958_740_234_375);
        assert!(sglang.has_moe_distribution("bfloat16", "power_law_1.2"));
        assert!(!sglang.has_moe_distribution("fp8", "power_law_1.2"));
        let key = AttentionKey {
            attn_dtype: "fp8",
            kv_dtype: "fp8",
            kv_heads: 8,
            head_dim: 128,
            window: 0,
        };
        assert!(sglang.context_attention(key).is_some());
        assert!(sglang.generation_attention(key).is_some());
        let unmeasured = AttentionKey {
            kv_dtype: "int8",
            ..key
        };
        assert!(sglang.context_attention(unmeasured).is_none());
        assert!(sglang.generation_attention(unmeasured).is_none());
    }

    #[test]
    fn a_pair_that_is_not_there_is_answered_with_those_that_are() {
        let error = PerfTables::embedded("tpu", "vllm").unwrap_err().to_string();
        for (sku, backend) in PerfTables::embedded_pairs() {
            assert!(error.contains(&format!("{sku} with {backend}")), "{error}");
        }
    }

    #[test]
    fn a_directory_serves_the_same_tables_and_a_wrong_name_is_noticed() {
        let dir = tempfile::TempDir::new().unwrap();
        let Some((sku, backend, contents)) = FILES.first() else {
            return;
        };
        std::fs::write(dir.path().join(file_name(sku, backend)), contents).unwrap();
        std::fs::write(dir.path().join(file_name("tpu", backend)), contents).unwrap();
        let read = PerfTables::read_dir(dir.path(), sku, backend).unwrap();
        assert_eq!(read, PerfTables::embedded(sku, backend).unwrap());
        let mismatch = PerfTables::read_dir(dir.path(), "tpu", backend).unwrap_err();
        assert!(
            matches!(mismatch, TableError::Mismatch { .. }),
            "{mismatch}"
        );
        let missing = PerfTables::read_dir(dir.path(), "npu", backend).unwrap_err();
        assert!(
            matches!(missing, TableError::Unreadable { .. }),
            "{missing}"
        );
    }
}
