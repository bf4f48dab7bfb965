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
