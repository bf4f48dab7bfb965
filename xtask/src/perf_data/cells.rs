//! Measured cells of a table, first come first kept, with the file each came from.

use std::collections::BTreeMap;

use aic_perf::table::{Curve, Grid, Slice, SliceKey, TableError};
use anyhow::Result;

use super::catalogue::Catalogue;
use super::chain::{SourceFile, Target};
use super::rows::{Row, Rows};

/// A latency in ms and the index of its file in the table's chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) latency_ms: f64,
    pub(super) source: usize,
}

/// Cells of one slice by their keys, unused parts 0.
pub(super) type Cells = BTreeMap<[u32; 3], Cell>;

/// Cells of a table by slice.
#[derive(Debug, Default)]
pub(super) struct Grouped {
    pub(super) slices: BTreeMap<SliceKey, Cells>,
}

impl Grouped {
    /// Adds a cell unless its place is taken.
    pub(super) fn add(&mut self, slice: SliceKey, key: [u32; 3], cell: Cell) {
        self.slices
            .entry(slice)
            .or_default()
            .entry(key)
            .or_insert(cell);
    }
}

/// A grid from cells with this many axes.
pub(super) fn grid(axes: usize, cells: &Cells) -> Result<Slice, TableError> {
    let cells = cells
        .iter()
        .map(|(key, cell)| (&key[..axes], cell.latency_ms));
    Ok(Slice::Grid(Grid::new(axes, cells)?))
}

/// A curve from cells whose keys have one part.
pub(super) fn curve(cells: &Cells) -> Result<Slice, TableError> {
    let points = cells.iter().map(|(key, cell)| (key[0], cell.latency_ms));
    Ok(Slice::Curve(Curve::new(points)?))
}

/// Calls `each` with the index of the file and the row, for every row of a chain that the target may use.
pub(super) fn for_each_row(
    catalogue: &Catalogue,
    target: &Target,
    table: &str,
    files: &[SourceFile],
    mut each: impl FnMut(usize, Row<'_>) -> Result<()>,
) -> Result<()> {
    for (index, file) in files.iter().enumerate() {
        let rows = Rows::read(&file.path)?;
        let foreign = file.owner != target.backend && file.owner != "nccl";
        for row in rows.iter() {
            if foreign {
                let kernel = row.text_or_none("kernel_source").unwrap_or_default();
                if !catalogue.may_share(table, kernel, &file.owner, &target.backend) {
                    continue;
                }
            }
            each(index, row).map_err(|error| error.context(file.name.clone()))?;
        }
    }
    Ok(())
}
