//! From tables to a packed file.

use std::collections::BTreeMap;

use super::bytes::Sink;
use super::rounding::{Rounding, fold_step};
use super::{HEADER_LEN, MAGIC, PAYLOAD_MAX, Precision, VERSION, checksum, precision};
use crate::table::table_id::Layout;
use crate::table::{Grid, PerfTables, SliceKey, TableError, TableId};

/// Largest relative error of a packed latency: half a step of a 16-bit mantissa, 2^-17.
pub const MAX_RELATIVE_ERROR: f64 = 1.0 / 131_072.0;

impl PerfTables {
    /// The packed file of these tables. `compress` turns the payload into one zstd frame.
    ///
    /// # Errors
    /// [`TableError::BadLatency`] on a latency of 2^23 ms or more or 2^-39 ms or less (but not 0), and
    /// [`TableError::TooLarge`] if the payload is.
    pub fn pack(&self, compress: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, TableError> {
        let payload = payload(self)?;
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length <= PAYLOAD_MAX);
        let length = length.ok_or(TableError::TooLarge {
            bytes: payload.len(),
        })?;
        let mut file = Vec::with_capacity(HEADER_LEN + payload.len() / 2);
        file.extend_from_slice(&MAGIC);
        file.extend_from_slice(&VERSION.to_le_bytes());
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(&checksum(&payload).to_le_bytes());
        file.extend(compress(&payload));
        Ok(file)
    }
}

/// Things written once and named by index, in order of first use.
#[derive(Debug)]
struct Pool<T> {
    index: BTreeMap<T, u32>,
    items: Vec<T>,
}

impl<T: Ord + Clone> Pool<T> {
    fn new() -> Self {
        Self {
            index: BTreeMap::new(),
            items: Vec::new(),
        }
    }

    fn intern(&mut self, item: T) -> u32 {
        let next = count(self.items.len());
        *self.index.entry(item.clone()).or_insert_with(|| {
            self.items.push(item);
            next
        })
    }
}

/// The parts of a payload whose pools fill up while slices are written.
#[derive(Debug)]
struct Writer {
    strings: Pool<String>,
    axes: Pool<Box<[u32]>>,
    slices: Sink,
    coarse: Steps,
    fine: Steps,
    exact: Vec<f64>,
}

/// Folded steps from each rounded value to the next.
#[derive(Debug, Default)]
struct Steps {
    steps: Vec<u32>,
    /// Code of the first value of the last run: where the next one is likely to start.
    start: u32,
}

impl Steps {
    /// Adds the values under one list of keys, or gives back nothing if one cannot be rounded.
    fn run(&mut self, rounding: Rounding, values: &[f64]) -> Option<()> {
        let mut last = self.start;
        for (index, value) in values.iter().enumerate() {
            let code = rounding.encode(*value)?;
            self.steps.push(fold_step(last, code));
            last = code;
            if index == 0 {
                self.start = code;
            }
        }
        Some(())
    }
}

/// Lengths of pools and lists are far below 2^32, or `pack` refuses the payload.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

pub(super) fn payload(tables: &PerfTables) -> Result<Vec<u8>, TableError> {
    let mut writer = Writer {
        strings: Pool::new(),
        axes: Pool::new(),
        slices: Sink::default(),
        coarse: Steps::default(),
        fine: Steps::default(),
        exact: Vec::new(),
    };
    let mut head = Sink::default();
    for name in [&tables.sku, &tables.backend, &tables.version] {
        head.number(writer.strings.intern(name.clone()));
    }
    head.number(count(tables.sources.len()));
    for source in &tables.sources {
        head.number(u32::from(source.table as u8));
        head.number(writer.strings.intern(source.path.clone()));
        head.number(source.rows);
    }
    head.number(count(tables.moe_distributions.len()));
    for (dtype, distribution) in &tables.moe_distributions {
        head.number(writer.strings.intern(dtype.clone()));
        head.number(writer.strings.intern(distribution.clone()));
    }
    for table in TableId::ALL {
        writer.table(tables, table)?;
    }
    let mut out = Sink::default();
    out.number(count(writer.strings.items.len()));
    for string in &writer.strings.items {
        out.number(count(string.len()));
        out.raw(string.as_bytes());
    }
    out.raw(&head.into_bytes());
    out.number(count(writer.axes.items.len()));
    for axis in &writer.axes.items {
        out.number(count(axis.len()));
        let mut previous = 0;
        for key in axis {
            out.number(key - previous);
            previous = *key;
        }
    }
    out.raw(&writer.slices.into_bytes());
    for steps in [&writer.coarse, &writer.fine] {
        planes(&mut out, &steps.steps, 3, |step| u64::from(*step));
    }
    planes(&mut out, &writer.exact, 8, |value| value.to_bits());
    Ok(out.into_bytes())
}

/// A count, then the lowest byte of every value, then the second-lowest, ...
fn planes<T>(out: &mut Sink, values: &[T], width: usize, bits: impl Fn(&T) -> u64) {
    out.number(count(values.len()));
    for plane in 0..width {
        let bytes: Vec<u8> = values
            .iter()
            .map(|value| bits(value).to_le_bytes()[plane])
            .collect();
        out.raw(&bytes);
    }
}

impl Writer {
    /// The number of slices of a table, then each.
    fn table(&mut self, tables: &PerfTables, table: TableId) -> Result<(), TableError> {
        match table.layout() {
            Layout::Sites => {
                self.slices.number(count(tables.gemm.len()));
                for (key, sites) in tables.gemm.iter() {
                    self.key(key);
                    self.slices.number(count(sites.sites().len()));
                    for ((n, k), curve) in sites.iter() {
                        self.slices.number(n);
                        self.slices.number(k);
                        self.run(Of { table, key }, curve.keys(), curve.values())?;
                    }
                }
            }
            Layout::Grid(_) => {
                let slices = tables.grid_table(table);
                self.slices.number(count(slices.len()));
                for (key, grid) in slices.iter() {
                    self.key(key);
                    self.grid(Of { table, key }, grid)?;
                }
            }
            Layout::Curve => {
                let slices = tables.curve_table(table);
                self.slices.number(count(slices.len()));
                for (key, curve) in slices.iter() {
                    self.key(key);
                    self.run(Of { table, key }, curve.keys(), curve.values())?;
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, key: &SliceKey) {
        self.slices.number(count(key.names().len()));
        for name in key.names() {
            let index = self.strings.intern(name.to_owned());
            self.slices.number(index);
        }
        self.slices.number(count(key.numbers().len()));
        for number in key.numbers() {
            self.slices.number(*number);
        }
    }

    /// The keys of every branch, outermost axis first.
    fn grid(&mut self, of: Of<'_>, grid: &Grid) -> Result<(), TableError> {
        let mut branches = vec![grid.root()];
        loop {
            let mut inner = Vec::new();
            for branch in &branches {
                if branch.is_innermost() {
                    self.run(of, branch.keys(), branch.values())?;
                } else {
                    self.axis(branch.keys());
                    inner.extend((0..branch.keys().len()).map(|index| branch.child(index)));
                }
            }
            if inner.is_empty() {
                return Ok(());
            }
            branches = inner;
        }
    }

    fn axis(&mut self, keys: &[u32]) {
        let index = self.axes.intern(keys.into());
        self.slices.number(index);
    }

    /// One list of keys with their latencies.
    fn run(&mut self, of: Of<'_>, keys: &[u32], values: &[f64]) -> Result<(), TableError> {
        self.axis(keys);
        let fits = match precision(of.table, of.key) {
            Precision::Coarse => self.coarse.run(Rounding::COARSE, values),
            Precision::Fine => self.fine.run(Rounding::FINE, values),
            Precision::Exact => {
                self.exact.extend_from_slice(values);
                Some(())
            }
        };
        fits.ok_or(TableError::BadLatency {
            what: of.table.name(),
        })
    }
}

/// The slice that is being written.
#[derive(Debug, Clone, Copy)]
struct Of<'a> {
    table: TableId,
    key: &'a SliceKey,
}
