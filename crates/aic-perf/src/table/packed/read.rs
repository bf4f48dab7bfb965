//! From a packed file to tables.

use std::io::Read;
use std::sync::Arc;

use ruzstd::decoding::StreamingDecoder;

use super::bytes;
use super::rounding::{Rounding, unfold_step};
use super::{HEADER_LEN, MAGIC, PAYLOAD_MAX, Precision, VERSION, checksum, precision};
use crate::table::table_id::Layout;
use crate::table::{
    Curve, Grid, PerfTables, SiteTable, Slice, SliceKey, Source, TableError, TableId,
};

impl PerfTables {
    /// Tables from the contents of a packed file.
    ///
    /// # Errors
    /// [`TableError::Corrupt`] on anything that [`PerfTables::pack`] did not write, [`TableError::Version`] on a
    /// file of another format version. Both name `file`.
    pub fn unpack(file: &str, contents: &[u8]) -> Result<Self, TableError> {
        inflate(file, contents)
            .and_then(|payload| parse(&payload))
            .map_err(|error| match error {
                TableError::Corrupt { offset, reason, .. } => TableError::Corrupt {
                    file: file.to_owned(),
                    offset,
                    reason,
                },
                // Whatever the constructors of tables refuse, the file is to blame.
                TableError::Unsorted { what } | TableError::BadLatency { what } => {
                    TableError::Corrupt {
                        file: file.to_owned(),
                        offset: 0,
                        reason: what,
                    }
                }
                other => other,
            })
    }
}

fn inflate(file: &str, contents: &[u8]) -> Result<Vec<u8>, TableError> {
    let corrupt = |offset, reason| TableError::Corrupt {
        file: String::new(),
        offset,
        reason,
    };
    let mut header = bytes::Source::new(contents);
    if header.raw(MAGIC.len())? != MAGIC {
        return Err(corrupt(0, "the letters AICP"));
    }
    let version = fixed_u32(&mut header)?;
    if version != VERSION {
        let file = file.to_owned();
        return Err(TableError::Version {
            file,
            found: version,
            supported: VERSION,
        });
    }
    let length = fixed_u32(&mut header)?;
    if length > PAYLOAD_MAX {
        return Err(corrupt(8, "a payload length of at most 64 MiB"));
    }
    let low = fixed_u32(&mut header)?;
    let expected = u64::from(low) | u64::from(fixed_u32(&mut header)?) << 32;
    let damaged = || corrupt(HEADER_LEN, "a whole zstd frame");
    let mut frame = &contents[HEADER_LEN..];
    let mut decoder = StreamingDecoder::new(&mut frame).map_err(|_| damaged())?;
    let mut payload = vec![0; length as usize];
    decoder.read_exact(&mut payload).map_err(|_| damaged())?;
    if checksum(&payload) != expected {
        return Err(corrupt(HEADER_LEN, "a payload that matches its checksum"));
    }
    Ok(payload)
}

fn fixed_u32(source: &mut bytes::Source<'_>) -> Result<u32, TableError> {
    let raw = source.raw(4)?;
    Ok(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
}

/// A slice whose values are not known yet: they come at the end of the payload.
struct Skeleton {
    table: TableId,
    key: SliceKey,
    /// (n, k) of each site; empty in other layouts.
    sites: Vec<(u32, u32)>,
    /// For each axis, outermost first, the list of keys of each branch, as indices into the axes.
    branches: Vec<Vec<usize>>,
}

pub(super) fn parse(payload: &[u8]) -> Result<PerfTables, TableError> {
    let mut source = bytes::Source::new(payload);
    let strings = (0..source.count()?)
        .map(|_| {
            let length = source.count()?;
            let raw = source.raw(length)?;
            std::str::from_utf8(raw).map_err(|_| source.corrupt("UTF-8"))
        })
        .collect::<Result<Vec<&str>, _>>()?;
    let mut tables = head(&mut source, &strings)?;
    let axes = (0..source.count()?)
        .map(|_| axis(&mut source))
        .collect::<Result<Vec<Arc<[u32]>>, _>>()?;
    let mut skeletons = Vec::new();
    for table in TableId::ALL {
        for _ in 0..source.count()? {
            skeletons.push(skeleton(&mut source, table, &strings, &axes)?);
        }
    }
    let mut values = Values::read(&mut source)?;
    for skeleton in skeletons {
        let (table, key) = (skeleton.table, skeleton.key.clone());
        let slice = flesh(skeleton, &axes, &mut values, &source)?;
        if !tables.insert(table, key, slice)? {
            return Err(source.corrupt("each slice once"));
        }
    }
    if source.remaining() > 0 || !values.are_used_up() {
        return Err(source.corrupt("the end"));
    }
    Ok(tables)
}

fn head(source: &mut bytes::Source<'_>, strings: &[&str]) -> Result<PerfTables, TableError> {
    let name = |source: &mut bytes::Source<'_>| {
        source
            .index(strings.len())
            .map(|index| strings[index].to_owned())
    };
    let (sku, backend, version) = (name(source)?, name(source)?, name(source)?);
    let mut tables = PerfTables::new(sku, backend, version);
    for _ in 0..source.count()? {
        let number = source.number()?;
        let table = u8::try_from(number).ok().and_then(TableId::from_number);
        let table = table.ok_or_else(|| source.corrupt("a known table"))?;
        let (path, rows) = (name(source)?, source.number()?);
        tables.add_source(Source { table, path, rows });
    }
    for _ in 0..source.count()? {
        let (dtype, distribution) = (name(source)?, name(source)?);
        tables.add_moe_distribution(dtype, distribution);
    }
    Ok(tables)
}

fn axis(source: &mut bytes::Source<'_>) -> Result<Arc<[u32]>, TableError> {
    let mut key = 0_u32;
    let keys: Arc<[u32]> = (0..source.count()?)
        .map(|index| {
            let step = source.number()?;
            let next = key.checked_add(step).filter(|_| step > 0 || index == 0);
            key = next.ok_or_else(|| source.corrupt("ascending keys"))?;
            Ok(key)
        })
        .collect::<Result<_, TableError>>()?;
    if keys.is_empty() {
        Err(source.corrupt("at least one key"))
    } else {
        Ok(keys)
    }
}

fn skeleton(
    source: &mut bytes::Source<'_>,
    table: TableId,
    strings: &[&str],
    axes: &[Arc<[u32]>],
) -> Result<Skeleton, TableError> {
    let names = (0..source.count()?)
        .map(|_| source.index(strings.len()).map(|index| strings[index]))
        .collect::<Result<Vec<_>, _>>()?;
    let numbers = (0..source.count()?)
        .map(|_| source.number())
        .collect::<Result<Vec<_>, _>>()?;
    if (names.len(), numbers.len()) != table.key_parts() {
        return Err(source.corrupt("as many parts of a key as the table has"));
    }
    let key = SliceKey::new(&names, &numbers);
    let mut sites = Vec::new();
    let mut branches = Vec::new();
    match table.layout() {
        Layout::Sites => {
            let mut curves = Vec::new();
            for _ in 0..source.count()? {
                sites.push((source.number()?, source.number()?));
                curves.push(source.index(axes.len())?);
            }
            branches.push(curves);
        }
        Layout::Curve => branches.push(vec![source.index(axes.len())?]),
        Layout::Grid(depth) => {
            let mut nodes = 1;
            for _ in 0..depth {
                if nodes > source.remaining() {
                    return Err(source.corrupt("keys for every branch"));
                }
                let level = (0..nodes)
                    .map(|_| source.index(axes.len()))
                    .collect::<Result<Vec<_>, _>>()?;
                nodes = level.iter().map(|index| axes[*index].len()).sum();
                branches.push(level);
            }
        }
    }
    Ok(Skeleton {
        table,
        key,
        sites,
        branches,
    })
}

fn flesh(
    skeleton: Skeleton,
    axes: &[Arc<[u32]>],
    values: &mut Values<'_>,
    source: &bytes::Source<'_>,
) -> Result<Slice, TableError> {
    let precision = precision(skeleton.table, &skeleton.key);
    let innermost = skeleton.branches.last().map_or(&[][..], Vec::as_slice);
    let mut run = |axis: usize, into: &mut Vec<f64>| {
        values
            .take_run(precision, axes[axis].len(), into)
            .ok_or_else(|| source.corrupt("a value for each key"))
    };
    let mut curve = |axis: usize| {
        let mut values = Vec::with_capacity(axes[axis].len());
        run(axis, &mut values)?;
        Curve::from_columns(Arc::clone(&axes[axis]), values)
    };
    match skeleton.table.layout() {
        Layout::Curve => Ok(Slice::Curve(curve(innermost[0])?)),
        Layout::Sites => {
            let curves = innermost
                .iter()
                .map(|axis| curve(*axis))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Slice::Sites(SiteTable::new(
                skeleton.sites.into_iter().zip(curves),
            )?))
        }
        Layout::Grid(_) => {
            let mut cells = Vec::new();
            for axis in innermost {
                run(*axis, &mut cells)?;
            }
            let keys =
                |level: &Vec<usize>| level.iter().map(|index| axes[*index].as_ref()).collect();
            let levels: Vec<Vec<&[u32]>> = skeleton.branches.iter().map(keys).collect();
            Ok(Slice::Grid(Grid::from_branches(&levels, cells)?))
        }
    }
}

/// The values at the end of the payload, taken in the order of the slices.
struct Values<'a> {
    coarse: Steps<'a>,
    fine: Steps<'a>,
    exact: [&'a [u8]; 8],
    next_exact: usize,
}

/// Folded steps from each rounded value to the next.
struct Steps<'a> {
    planes: [&'a [u8]; 3],
    next: usize,
    /// Code of the first value of the last run.
    start: u32,
}

impl<'a> Values<'a> {
    fn read(source: &mut bytes::Source<'a>) -> Result<Self, TableError> {
        let coarse = Steps {
            planes: planes(source)?,
            next: 0,
            start: 0,
        };
        let fine = Steps {
            planes: planes(source)?,
            next: 0,
            start: 0,
        };
        Ok(Self {
            coarse,
            fine,
            exact: planes(source)?,
            next_exact: 0,
        })
    }

    /// Appends the latencies of one list of keys, or gives back nothing if there are not that many.
    fn take_run(&mut self, precision: Precision, count: usize, into: &mut Vec<f64>) -> Option<()> {
        match precision {
            Precision::Coarse => self.coarse.take_run(Rounding::COARSE, count, into),
            Precision::Fine => self.fine.take_run(Rounding::FINE, count, into),
            Precision::Exact => self.take_exact(count, into),
        }
    }

    fn take_exact(&mut self, count: usize, into: &mut Vec<f64>) -> Option<()> {
        let end = self.next_exact.checked_add(count)?;
        if end > self.exact[0].len() {
            return None;
        }
        into.extend(
            (self.next_exact..end)
                .map(|index| f64::from_le_bytes(self.exact.map(|plane| plane[index]))),
        );
        self.next_exact = end;
        Some(())
    }

    fn are_used_up(&self) -> bool {
        self.coarse.is_used_up() && self.fine.is_used_up() && self.next_exact == self.exact[0].len()
    }
}

impl Steps<'_> {
    fn take_run(&mut self, rounding: Rounding, count: usize, into: &mut Vec<f64>) -> Option<()> {
        let end = self.next.checked_add(count)?;
        let [low, middle, high] = self.planes.map(|plane| plane.get(self.next..end));
        let steps = low?.iter().zip(middle?).zip(high?);
        let mut last = self.start;
        for (index, ((low, middle), high)) in steps.enumerate() {
            last = unfold_step(last, u32::from_le_bytes([*low, *middle, *high, 0]));
            into.push(rounding.decode(last));
            if index == 0 {
                self.start = last;
            }
        }
        self.next = end;
        Some(())
    }

    fn is_used_up(&self) -> bool {
        self.next == self.planes[0].len()
    }
}

fn planes<'a, const N: usize>(source: &mut bytes::Source<'a>) -> Result<[&'a [u8]; N], TableError> {
    let count = source.count()?;
    let mut planes = [&[][..]; N];
    for plane in &mut planes {
        *plane = source.raw(count)?;
    }
    Ok(planes)
}
