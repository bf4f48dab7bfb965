//! The manifests beside the measurements: releases in use, GPUs, and what may stand in for what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::version::Version;

/// Everything known about the data before a table is read.
#[derive(Debug)]
pub(super) struct Catalogue {
    root: PathBuf,
    slots: QueryVersions,
    /// For a table's file name and a kernel, the frameworks that may use each other's rows.
    shared: BTreeMap<(String, String), BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
struct QueryVersions {
    defaults: BTreeMap<String, Slot>,
    #[serde(default)]
    overrides: BTreeMap<String, BTreeMap<String, Slot>>,
}

#[derive(Debug, Deserialize)]
struct Slot {
    current: String,
}

#[derive(Debug, Deserialize)]
struct ReuseManifest {
    groups: Vec<ReuseGroup>,
}

#[derive(Debug, Deserialize)]
struct ReuseGroup {
    op_file: String,
    kernel_source: String,
    tier: String,
    frameworks: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ReuseFile {
    reuse: Vec<Donor>,
}

#[derive(Debug, Deserialize)]
struct Donor {
    table: String,
    from_version: String,
}

/// What the data says of a GPU, as far as packing needs it. FLOP/s and byte/s.
#[derive(Debug, Deserialize)]
pub(super) struct System {
    pub(super) gpu: Gpu,
    pub(super) misc: Misc,
}

#[derive(Debug, Deserialize)]
pub(super) struct Gpu {
    pub(super) mem_bw: f64,
    pub(super) bfloat16_tc_flops: Option<f64>,
    pub(super) int8_tc_flops: Option<f64>,
    pub(super) fp8_tc_flops: Option<f64>,
    pub(super) fp4_tc_flops: Option<f64>,
    pub(super) sm_version: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Misc {
    pub(super) nccl_version: String,
}

impl Catalogue {
    /// Reads the manifests below a `systems` directory.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let slots = yaml(&root.join("query_versions.yaml"))?;
        let manifest: ReuseManifest = yaml(&root.join("perf_data_reuse_manifest.yaml"))?;
        let mut shared: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for group in manifest.groups {
            if ["shared", "shared_fallback"].contains(&group.tier.as_str()) {
                let kernel = (group.op_file, group.kernel_source);
                shared.entry(kernel).or_default().extend(group.frameworks);
            }
        }
        Ok(Self {
            root: root.to_owned(),
            slots,
            shared,
        })
    }

    /// What the data says of a GPU.
    pub(super) fn system(&self, sku: &str) -> Result<System> {
        let path = self.root.join(format!("{sku}.yaml"));
        ensure!(
            path.is_file(),
            "the data knows no GPU {sku:?}; it knows {}",
            self.systems()?.join(", ")
        );
        yaml(&path)
    }

    fn systems(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.data())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The release of a framework that the data stands for on a GPU.
    pub(super) fn current(&self, sku: &str, backend: &str) -> Result<Version> {
        let special = self
            .slots
            .overrides
            .get(sku)
            .and_then(|slots| slots.get(backend));
        let slot = special.or_else(|| self.slots.defaults.get(backend));
        let slot = slot.with_context(|| format!("no release of {backend} is named for {sku}"))?;
        Version::parse(&slot.current)
    }

    /// Where the Parquet files lie; paths in provenance are relative to it.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Releases with a directory, newest first.
    pub(super) fn releases(&self, sku: &str, family: &str, backend: &str) -> Result<Vec<Version>> {
        let directory = self.data().join(sku).join(family).join(backend);
        if !directory.is_dir() {
            return Ok(Vec::new());
        }
        let mut releases = Vec::new();
        for entry in fs::read_dir(&directory)? {
            releases.push(Version::parse(&entry?.file_name().to_string_lossy())?);
        }
        releases.sort_unstable_by(|a, b| b.cmp(a));
        Ok(releases)
    }

    /// Releases that the directory of a release declares to stand in for a table of its own.
    pub(super) fn declared_donors(&self, release: &Path, table: &str) -> Result<Vec<String>> {
        let manifest = release.join("reuse.yaml");
        if !manifest.is_file() {
            return Ok(Vec::new());
        }
        let file: ReuseFile = yaml(&manifest)?;
        let donors = file
            .reuse
            .into_iter()
            .filter(|donor| donor.table == format!("{table}_perf"));
        Ok(donors.map(|donor| donor.from_version).collect())
    }

    /// May `user` use rows that `owner` measured with this kernel?
    pub(super) fn may_share(&self, table: &str, kernel: &str, owner: &str, user: &str) -> bool {
        let key = (format!("{table}_perf.parquet"), kernel.to_owned());
        self.shared
            .get(&key)
            .is_some_and(|allowed| allowed.contains(owner) && allowed.contains(user))
    }
}

fn yaml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}
