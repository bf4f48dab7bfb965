//! Which files feed a table, in order of priority.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use super::catalogue::Catalogue;
use super::version::Version;

/// What is packed: one GPU with one framework at one release.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) sku: String,
    pub(super) backend: String,
    pub(super) version: Version,
}

/// One Parquet file of a table's chain.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    /// Path below the data directory, with slashes.
    pub(super) name: String,
    /// The framework that measured it.
    pub(super) owner: String,
    /// Is it the release asked for (not a stand-in)?
    pub(super) requested: bool,
}

const BACKENDS: [&str; 3] = ["sglang", "trtllm", "vllm"];

/// The directory of a table.
fn family(table: &str) -> &'static str {
    match table {
        "gemm" => "gemm",
        "computescale" | "scale_matrix" => "quantize",
        "context_attention" | "generation_attention" => "attention",
        "moe" => "moe",
        "mla_bmm" => "mla_bmm",
        "custom_allreduce" => "comm",
        _ => "mla",
    }
}

/// The files of a table that exist: the release asked for, the releases it names as donors, the framework's older
/// releases from the nearest on, and (but for communication) the other frameworks', newest first.
pub(super) fn sources(
    catalogue: &Catalogue,
    target: &Target,
    table: &str,
) -> Result<Vec<SourceFile>> {
    let Target {
        sku,
        backend,
        version,
    } = target;
    let family = family(table);
    let mut wanted = vec![(backend.as_str(), version.as_str().to_owned())];
    let directory = catalogue
        .data()
        .join(sku)
        .join(family)
        .join(backend)
        .join(version.as_str());
    for donor in catalogue.declared_donors(&directory, table)? {
        wanted.push((backend, donor));
    }
    for older in catalogue.releases(sku, family, backend)? {
        if older < *version {
            wanted.push((backend, older.as_str().to_owned()));
        }
    }
    if family != "comm" {
        for other in BACKENDS.into_iter().filter(|other| other != backend) {
            for release in catalogue.releases(sku, family, other)? {
                wanted.push((other, release.as_str().to_owned()));
            }
        }
    }
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for (index, (owner, release)) in wanted.into_iter().enumerate() {
        let name = format!("{sku}/{family}/{owner}/{release}/{table}_perf.parquet");
        let path = catalogue.data().join(&name);
        if path.is_file() && seen.insert(name.clone()) {
            let owner = owner.to_owned();
            files.push(SourceFile {
                path,
                name,
                owner,
                requested: index == 0,
            });
        }
    }
    Ok(files)
}

/// Is there any file of the release asked for, or would every table be a stand-in?
pub(super) fn is_measured(catalogue: &Catalogue, target: &Target) -> Result<bool> {
    for family in ["gemm", "attention", "moe"] {
        let releases = catalogue.releases(&target.sku, family, &target.backend)?;
        if releases.contains(&target.version) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The file of NCCL's collectives: the release the GPU's description names, whatever the framework.
pub(super) fn nccl(catalogue: &Catalogue, sku: &str, nccl_version: &str) -> Vec<SourceFile> {
    let name = format!("{sku}/comm/nccl/{nccl_version}/nccl_perf.parquet");
    let path = catalogue.data().join(&name);
    if !path.is_file() {
        return Vec::new();
    }
    vec![SourceFile {
        path,
        name,
        owner: "nccl".to_owned(),
        requested: true,
    }]
}
