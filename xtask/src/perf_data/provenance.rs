//! The record of where every packed number came from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aic_perf::table::TableId;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::pack::Packer;

/// Collects what was packed, in order.
#[derive(Debug, Default)]
pub(super) struct Provenance {
    files: String,
    /// SHA-256 by path below the data directory.
    sources: BTreeMap<String, String>,
}

impl Provenance {
    /// Notes a packed file.
    pub(super) fn add(&mut self, packer: &Packer<'_>, name: &str, contents: &[u8]) -> Result<()> {
        let tables = &packer.tables;
        let out = &mut self.files;
        writeln!(out, "### {name}\n")?;
        writeln!(
            out,
            "{} {}, {} bytes, SHA-256 `{}`\n",
            tables.backend(),
            tables.version(),
            contents.len(),
            sha256(contents)
        )?;
        writeln!(
            out,
            "| table | rows | source | kernels, in order |\n|---|---|---|---|"
        )?;
        let mut last: Option<TableId> = None;
        for source in tables.sources() {
            let kernels = packer
                .lanes
                .get(&source.table)
                .filter(|_| last != Some(source.table));
            let kernels = kernels.map_or_else(String::new, |order| order.join(", "));
            last = Some(source.table);
            let table = source.table.name();
            writeln!(
                out,
                "| {table} | {} | {} | {kernels} |",
                source.rows, source.path
            )?;
            if !self.sources.contains_key(&source.path) {
                let path = packer.catalogue.data().join(&source.path);
                let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
                self.sources.insert(source.path.clone(), sha256(&bytes));
            }
        }
        out.push('\n');
        Ok(())
    }

    /// Writes the record.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::from(INTRODUCTION);
        text.push_str("\n## Packed files\n\n");
        text.push_str(&self.files);
        text.push_str("## Source files\n\n| file | SHA-256 |\n|---|---|\n");
        for (source, sum) in &self.sources {
            writeln!(text, "| {source} | `{sum}` |")?;
        }
        fs::write(path, text).with_context(|| path.display().to_string())
    }
}

const INTRODUCTION: &str = "# Where the packed tables come from

Made by `cargo run -p xtask --features perf-data -- perf-data --pip`; do not edit.

The measurements are those of the Python package `aiconfigurator_core` 0.12.0 (Copyright NVIDIA CORPORATION &
AFFILIATES, Apache-2.0), directory `aiconfigurator_core/systems/data`. Only the rows that a supported model can ask
for are kept. Latencies are rounded to 16 bits of mantissa, 18 for FP8 multiplications and static scales; those of
`computescale` are exact. `rows` counts the measurements of a source that are in the packed file.
";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
