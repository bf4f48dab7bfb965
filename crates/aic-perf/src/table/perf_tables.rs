//! All tables of one GPU and one framework.

use super::keys::{AttentionKey, MlaModuleKey, MoeShape};
use super::table_id::Layout;
use super::{Curve, Grid, SiteTable, SliceKey, Slices, TableError, TableId};

/// Tables below this number are site tables, those from it on grids.
const FIRST_GRID: usize = TableId::Computescale as usize;
/// Tables from this number on are curves.
const FIRST_CURVE: usize = TableId::MlaBmm as usize;

/// One source table that went into a packed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The table it feeds.
    pub table: TableId,
    /// Path below the source's data directory, such as `h200_sxm/gemm/vllm/0.24.0/gemm_perf.parquet`.
    pub path: String,
    /// How many of its rows are in the packed file.
    pub rows: u32,
}

/// A slice of any table.
#[derive(Debug, Clone, PartialEq)]
pub enum Slice {
    /// Of [`TableId::Gemm`].
    Sites(SiteTable),
    /// Of the tables over two or three axes.
    Grid(Grid),
    /// Of the tables over one axis.
    Curve(Curve),
}

/// Every measured table of one GPU and one framework, with where it came from. Latencies are milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PerfTables {
    pub(super) sku: String,
    pub(super) backend: String,
    pub(super) version: String,
    pub(super) sources: Vec<Source>,
    pub(super) gemm: Slices<SiteTable>,
    pub(super) grids: [Slices<Grid>; 8],
    pub(super) curves: [Slices<Curve>; 5],
    /// (dtype, distribution) pairs measured for any expert layer, packed or not, ascending.
    pub(super) moe_distributions: Vec<(String, String)>,
}

impl PerfTables {
    /// No tables yet, to be filled with [`PerfTables::insert`].
    #[must_use]
    pub fn new(sku: String, backend: String, version: String) -> Self {
        Self {
            sku,
            backend,
            version,
            ..Self::default()
        }
    }

    /// Adds a slice; the first one with a key stays. Gives back whether this was it.
    ///
    /// # Errors
    /// [`TableError::WrongLayout`] if the slice or its key is not of the table's kind.
    pub fn insert(
        &mut self,
        table: TableId,
        key: SliceKey,
        slice: Slice,
    ) -> Result<bool, TableError> {
        let parts = (key.names().len(), key.numbers().len());
        match (table.layout(), slice) {
            _ if parts != table.key_parts() => {}
            (Layout::Sites, Slice::Sites(sites)) => return Ok(self.gemm.insert(key, sites)),
            (Layout::Grid(axes), Slice::Grid(grid)) if grid.axes() == axes => {
                return Ok(self.grids[table as usize - FIRST_GRID].insert(key, grid));
            }
            (Layout::Curve, Slice::Curve(curve)) => {
                return Ok(self.curves[table as usize - FIRST_CURVE].insert(key, curve));
            }
            _ => {}
        }
        Err(TableError::WrongLayout {
            table: table.name(),
        })
    }

    /// Notes a source table.
    pub fn add_source(&mut self, source: Source) {
        self.sources.push(source);
    }

    /// Notes that a spread of tokens over experts was measured in a number format.
    pub fn add_moe_distribution(&mut self, dtype: String, distribution: String) {
        let pair = (dtype, distribution);
        if let Err(at) = self.moe_distributions.binary_search(&pair) {
            self.moe_distributions.insert(at, pair);
        }
    }

    /// Name of the GPU, such as `h200_sxm`.
    #[must_use]
    pub fn sku(&self) -> &str {
        &self.sku
    }

    /// Name of the framework: `vllm`, `sglang` or `trtllm`.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Release of the framework the tables stand for.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The source tables, in order of table and priority.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Matrix multiplications in one number format.
    #[must_use]
    pub fn gemm(&self, dtype: &str) -> Option<&SiteTable> {
        self.gemm.get(&[dtype], &[])
    }

    /// Cost of per-token activation scales over (m, k); holds exact zeros.
    #[must_use]
    pub fn computescale(&self, dtype: &str) -> Option<&Grid> {
        self.grid_table(TableId::Computescale).get(&[dtype], &[])
    }

    /// Static activation quantisation over (m, k).
    #[must_use]
    pub fn scale_matrix(&self, dtype: &str) -> Option<&Grid> {
        self.grid_table(TableId::ScaleMatrix).get(&[dtype], &[])
    }

    /// Prefill attention over (heads, sequence length, batch).
    #[must_use]
    pub fn context_attention(&self, key: AttentionKey<'_>) -> Option<&Grid> {
        let numbers = [key.kv_heads, key.head_dim, key.window];
        self.grid_table(TableId::ContextAttention)
            .get(&[key.attn_dtype, key.kv_dtype], &numbers)
    }

    /// Decode attention over (heads, batch, context length); `attn_dtype` does not matter.
    #[must_use]
    pub fn generation_attention(&self, key: AttentionKey<'_>) -> Option<&Grid> {
        let numbers = [key.kv_heads, key.head_dim, key.window];
        self.grid_table(TableId::GenerationAttention)
            .get(&[key.kv_dtype], &numbers)
    }

    /// Prefill MLA kernel over (heads, sequence length, batch).
    #[must_use]
    pub fn context_mla(&self, attn_dtype: &str, kv_dtype: &str) -> Option<&Grid> {
        self.grid_table(TableId::ContextMla)
            .get(&[attn_dtype, kv_dtype], &[])
    }

    /// Decode MLA kernel over (heads, batch, context length).
    #[must_use]
    pub fn generation_mla(&self, kv_dtype: &str) -> Option<&Grid> {
        self.grid_table(TableId::GenerationMla)
            .get(&[kv_dtype], &[])
    }

    /// Whole prefill MLA block over (heads, sequence length, batch), one grid for each measured number of native
    /// heads, ascending.
    pub fn mla_context_module<'a>(
        &'a self,
        key: MlaModuleKey<'a>,
    ) -> impl Iterator<Item = (u32, &'a Grid)> {
        native_slices(
            self.grid_table(TableId::MlaContextModule),
            [key.attn_dtype, key.kv_dtype, key.gemm_dtype],
        )
    }

    /// Whole decode MLA block over (heads, batch, context length), as [`PerfTables::mla_context_module`];
    /// `attn_dtype` does not matter.
    pub fn mla_generation_module<'a>(
        &'a self,
        key: MlaModuleKey<'a>,
    ) -> impl Iterator<Item = (u32, &'a Grid)> {
        native_slices(
            self.grid_table(TableId::MlaGenerationModule),
            [key.kv_dtype, key.gemm_dtype],
        )
    }

    /// Batched multiplication before (`mla_gen_pre`) or after (`mla_gen_post`) decode MLA over tokens.
    #[must_use]
    pub fn mla_bmm(&self, dtype: &str, op: &str, heads: u32) -> Option<&Curve> {
        self.curve_table(TableId::MlaBmm)
            .get(&[dtype, op], &[heads])
    }

    /// Whether there is any batched MLA multiplication in this number format.
    #[must_use]
    pub fn has_mla_bmm_dtype(&self, dtype: &str) -> bool {
        self.curve_table(TableId::MlaBmm).has_name(dtype)
    }

    /// Experts over tokens.
    #[must_use]
    pub fn moe(&self, dtype: &str, distribution: &str, shape: MoeShape) -> Option<&Curve> {
        self.curve_table(TableId::Moe)
            .get(&[dtype, distribution], &shape.numbers())
    }

    /// Experts with the kernels for few tokens, over tokens.
    #[must_use]
    pub fn moe_low_latency(
        &self,
        dtype: &str,
        distribution: &str,
        shape: MoeShape,
    ) -> Option<&Curve> {
        self.curve_table(TableId::MoeLowLatency)
            .get(&[dtype, distribution], &shape.numbers())
    }

    /// Whether this spread of tokens over experts was measured in this number format, for any layer shape, even one
    /// that is not packed.
    #[must_use]
    pub fn has_moe_distribution(&self, dtype: &str, distribution: &str) -> bool {
        self.moe_distributions
            .binary_search_by(|(d, s)| (d.as_str(), s.as_str()).cmp(&(dtype, distribution)))
            .is_ok()
    }

    /// The framework's own all-reduce among `gpus` over elements.
    #[must_use]
    pub fn custom_allreduce(&self, gpus: u32) -> Option<&Curve> {
        self.curve_table(TableId::CustomAllreduce).get(&[], &[gpus])
    }

    /// Numbers of GPUs the all-reduce was measured on, ascending.
    pub fn custom_allreduce_gpus(&self) -> impl Iterator<Item = u32> {
        self.curve_table(TableId::CustomAllreduce)
            .iter()
            .map(|(key, _)| key.numbers()[0])
    }

    /// An NCCL collective (`all_reduce`, `all_gather`, `reduce_scatter`, `alltoall`) among `gpus` over elements.
    #[must_use]
    pub fn nccl(&self, op: &str, gpus: u32) -> Option<&Curve> {
        self.curve_table(TableId::Nccl).get(&[op], &[gpus])
    }

    /// Numbers of GPUs an NCCL collective was measured on, ascending.
    pub fn nccl_gpus<'a>(&'a self, op: &'a str) -> impl Iterator<Item = u32> + 'a {
        let of_op = move |key: &SliceKey| key.names().next() == Some(op);
        self.curve_table(TableId::Nccl)
            .iter()
            .filter(move |(key, _)| of_op(key))
            .map(|(key, _)| key.numbers()[0])
    }

    /// Keys and sizes (measured cells) of a table's slices, ascending.
    #[must_use]
    pub fn slices(&self, table: TableId) -> Vec<(&SliceKey, usize)> {
        fn sized<T>(slices: &Slices<T>, cells: impl Fn(&T) -> usize) -> Vec<(&SliceKey, usize)> {
            slices
                .iter()
                .map(|(key, slice)| (key, cells(slice)))
                .collect()
        }
        match table.layout() {
            Layout::Sites => sized(&self.gemm, |sites| {
                sites.curves().iter().map(|curve| curve.keys().len()).sum()
            }),
            Layout::Grid(_) => sized(self.grid_table(table), Grid::cells),
            Layout::Curve => sized(self.curve_table(table), |curve| curve.keys().len()),
        }
    }

    pub(super) fn grid_table(&self, table: TableId) -> &Slices<Grid> {
        &self.grids[table as usize - FIRST_GRID]
    }

    pub(super) fn curve_table(&self, table: TableId) -> &Slices<Curve> {
        &self.curves[table as usize - FIRST_CURVE]
    }
}

/// The slices of an MLA block table with these names, with their native head counts.
fn native_slices<'a, const N: usize>(
    slices: &'a Slices<Grid>,
    names: [&'a str; N],
) -> impl Iterator<Item = (u32, &'a Grid)> {
    slices
        .iter()
        .filter(move |(key, _)| key.names().eq(names))
        .map(|(key, grid)| (key.numbers()[0], grid))
}
