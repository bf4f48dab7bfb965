//! All tables of one GPU with one framework.

use std::collections::BTreeMap;

use aic_perf::table::{PerfTables, Slice, Source, TableError, TableId};
use anyhow::{Context, Result, ensure};

use super::catalogue::{Catalogue, System};
use super::cells::{Cells, Grouped};
use super::chain::{self, SourceFile, Target};
use super::lanes::Lanes;
use super::select::is_wanted;
use super::{attention, dense, sparse};

/// Tables in the making.
pub(super) struct Packer<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) target: &'a Target,
    pub(super) system: System,
    pub(super) tables: PerfTables,
    /// The order in which kernels serve an attention table.
    pub(super) lanes: BTreeMap<TableId, Vec<String>>,
}

impl<'a> Packer<'a> {
    /// Reads and resolves every table of a target.
    pub(super) fn run(catalogue: &'a Catalogue, target: &'a Target) -> Result<Self> {
        let Target {
            sku,
            backend,
            version,
        } = target;
        let tables = PerfTables::new(sku.clone(), backend.clone(), version.as_str().to_owned());
        let system = catalogue.system(sku)?;
        ensure!(
            chain::is_measured(catalogue, target)?,
            "{sku}: nothing was measured with {backend} {}",
            version.as_str()
        );
        let mut packer = Self {
            catalogue,
            target,
            system,
            tables,
            lanes: BTreeMap::new(),
        };
        packer
            .pack_all()
            .with_context(|| format!("{sku} with {backend}"))?;
        Ok(packer)
    }

    fn pack_all(&mut self) -> Result<()> {
        dense::gemm(self)?;
        for table in [TableId::Computescale, TableId::ScaleMatrix] {
            dense::quantise(self, table)?;
        }
        attention::context(self)?;
        attention::generation(self)?;
        for table in [
            TableId::ContextMla,
            TableId::GenerationMla,
            TableId::MlaContextModule,
            TableId::MlaGenerationModule,
        ] {
            sparse::mla(self, table)?;
        }
        sparse::mla_bmm(self)?;
        sparse::moe(self)?;
        sparse::allreduce(self)?;
        sparse::nccl(self)
    }

    /// The chain of a table.
    pub(super) fn files(&self, table: &str) -> Result<Vec<SourceFile>> {
        chain::sources(self.catalogue, self.target, table)
    }

    /// Picks the kernel of every attention slice and notes their order.
    pub(super) fn resolve_lanes(&mut self, table: TableId, lanes: Lanes) -> Grouped {
        let Target {
            backend, version, ..
        } = self.target;
        let sm = self.system.gpu.sm_version;
        let (grouped, order) = lanes.resolve(backend, version, sm);
        self.lanes.insert(table, order);
        grouped
    }

    /// Adds the slices that a supported model can ask for.
    pub(super) fn add_slices(
        &mut self,
        table: TableId,
        grouped: &Grouped,
        files: &[SourceFile],
        build: impl Fn(&Cells) -> Result<Slice, TableError>,
    ) -> Result<()> {
        let mut counts = vec![0; files.len()];
        for (key, cells) in grouped
            .slices
            .iter()
            .filter(|(key, _)| is_wanted(table, key))
        {
            for cell in cells.values() {
                counts[cell.source] += 1;
            }
            let slice = build(cells).with_context(|| format!("{}: {key:?}", table.name()))?;
            self.tables.insert(table, key.clone(), slice)?;
        }
        self.note_sources(table, files, &counts);
        Ok(())
    }

    /// Notes the files of a chain that cells were taken from.
    pub(super) fn note_sources(&mut self, table: TableId, files: &[SourceFile], counts: &[u32]) {
        for (file, rows) in files.iter().zip(counts).filter(|(_, rows)| **rows > 0) {
            self.tables.add_source(Source {
                table,
                path: file.name.clone(),
                rows: *rows,
            });
        }
    }
}
