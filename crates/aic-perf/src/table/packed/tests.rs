//! Tests of the packed format as a whole.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::read::parse;
use super::write::payload;
use super::{HEADER_LEN, MAX_RELATIVE_ERROR};
use crate::table::table_id::Layout;
use crate::table::{
    Curve, Grid, PerfTables, SiteTable, Slice, SliceKey, Source, TableError, TableId,
};

fn compress(payload: &[u8]) -> Vec<u8> {
    compress_to_vec(payload, CompressionLevel::Fastest)
}

fn packed(tables: &PerfTables) -> Vec<u8> {
    tables.pack(compress).unwrap()
}

/// Latencies at jagged integer points.
type Points = BTreeMap<[u32; 3], f64>;

fn points() -> impl Strategy<Value = Points> {
    let key = (1_u32..6, 1_u32..6, prop_oneof![1_u32..9, any::<u32>()])
        .prop_map(|(outer, middle, inner)| [outer, middle, inner]);
    prop::collection::btree_map(key, prop_oneof![Just(0.0), 1e-6_f64..1e5], 1..40)
}

fn slice(table: TableId, points: &Points) -> Slice {
    match table.layout() {
        Layout::Grid(axes) => {
            let cells: BTreeMap<&[u32], f64> = points
                .iter()
                .map(|(key, value)| (&key[..axes], *value))
                .collect();
            Slice::Grid(Grid::new(axes, cells).unwrap())
        }
        Layout::Curve => {
            let curve: BTreeMap<u32, f64> =
                points.iter().map(|(key, value)| (key[2], *value)).collect();
            Slice::Curve(Curve::new(curve).unwrap())
        }
        Layout::Sites => {
            let mut sites: BTreeMap<(u32, u32), Vec<(u32, f64)>> = BTreeMap::new();
            for (key, value) in points {
                sites
                    .entry((key[0], key[1]))
                    .or_default()
                    .push((key[2], *value));
            }
            // Descending, so that an order other than the sorted one has to survive.
            let sites = sites.into_iter().rev();
            let curves = sites.map(|(site, points)| (site, Curve::new(points).unwrap()));
            Slice::Sites(SiteTable::new(curves).unwrap())
        }
    }
}

fn tables() -> impl Strategy<Value = PerfTables> {
    let drawn = (0..TableId::ALL.len(), 0_u32..3, points());
    prop::collection::vec(drawn, 0..8).prop_map(|slices| {
        let mut tables = PerfTables::new("gpu".into(), "vllm".into(), "1.0".into());
        for (index, variant, points) in slices {
            let table = TableId::ALL[index];
            let (names, numbers) = table.key_parts();
            let names = vec![["bfloat16", "fp8", "nvfp4"][variant as usize]; names];
            let key = SliceKey::new(&names, &vec![variant; numbers]);
            tables.insert(table, key, slice(table, &points)).unwrap();
            tables.add_source(Source {
                table,
                path: format!("{}/x", table.name()),
                rows: variant,
            });
            tables.add_moe_distribution(names.first().unwrap_or(&"fp8").to_string(), "even".into());
        }
        tables
    })
}

/// Every slice's latencies, in order.
fn values(tables: &PerfTables, table: TableId) -> Vec<f64> {
    match table.layout() {
        Layout::Sites => {
            let curves = tables.gemm.iter().flat_map(|(_, sites)| sites.curves());
            curves.flat_map(Curve::values).copied().collect()
        }
        Layout::Grid(_) => tables
            .grid_table(table)
            .iter()
            .flat_map(|(_, grid)| grid.values())
            .copied()
            .collect(),
        Layout::Curve => {
            let curves = tables.curve_table(table).iter();
            curves
                .flat_map(|(_, curve)| curve.values())
                .copied()
                .collect()
        }
    }
}

proptest! {
    #[test]
    fn what_was_packed_comes_back_rounded_within_the_bound(tables in tables()) {
        let back = PerfTables::unpack("test", &packed(&tables)).unwrap();
        for table in TableId::ALL {
            prop_assert_eq!(tables.slices(table), back.slices(table));
            let (before, after) = (values(&tables, table), values(&back, table));
            prop_assert_eq!(before.len(), after.len());
            for (before, after) in before.into_iter().zip(after) {
                prop_assert!((before - after).abs() <= before * MAX_RELATIVE_ERROR);
                prop_assert!(table != TableId::Computescale || before == after);
            }
        }
        prop_assert_eq!(tables.sources(), back.sources());
        // Everything else, and all keys, must be equal: a rounded table packs to itself.
        prop_assert_eq!(PerfTables::unpack("test", &packed(&back)).unwrap(), back);
    }

    #[test]
    fn sites_keep_their_order(points in points()) {
        let mut tables = PerfTables::new("gpu".into(), "vllm".into(), "1.0".into());
        let key = SliceKey::new(&["bfloat16"], &[]);
        tables.insert(TableId::Gemm, key, slice(TableId::Gemm, &points)).unwrap();
        let back = PerfTables::unpack("test", &packed(&tables)).unwrap();
        prop_assert_eq!(
            tables.gemm("bfloat16").unwrap().sites(),
            back.gemm("bfloat16").unwrap().sites()
        );
    }

    #[test]
    fn a_damaged_file_is_an_error(
        tables in tables(), at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let mut file = packed(&tables);
        let at = at.index(file.len());
        file[at] ^= flip;
        // Bits that a decoder may ignore can be flipped unnoticed; then the contents must be the same.
        match PerfTables::unpack("broken.aicp", &file) {
            Ok(back) => prop_assert_eq!(back, PerfTables::unpack("test", &packed(&tables)).unwrap()),
            Err(error) => prop_assert!(error.to_string().starts_with("broken.aicp"), "{}", error),
        }
    }

    #[test]
    fn a_shortened_file_is_an_error(tables in tables(), at in any::<prop::sample::Index>()) {
        let file = packed(&tables);
        let error = PerfTables::unpack("short.aicp", &file[..at.index(file.len())]).unwrap_err();
        let is_corrupt = matches!(error, TableError::Corrupt { .. });
        prop_assert!(is_corrupt, "{}", error);
    }

    /// Past the checksum: whatever the payload says, reading it ends, without a panic.
    #[test]
    fn any_payload_is_read_or_refused(
        tables in tables(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut payload = payload(&tables).unwrap();
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        if let Ok(read) = parse(&payload) {
            prop_assert_eq!(read.sku().len() <= payload.len(), true);
        }
    }
}

#[test]
fn a_file_of_another_version_says_which() {
    let mut file = packed(&PerfTables::default());
    file[4] = 9;
    let error = PerfTables::unpack("new.aicp", &file).unwrap_err();
    assert_eq!(
        error.to_string(),
        "new.aicp: format version 9, this build reads 1"
    );
}

#[test]
fn a_latency_that_cannot_be_rounded_is_refused() {
    let mut tables = PerfTables::default();
    let curve = Curve::new([(1, 1e-300)]).unwrap();
    tables
        .insert(
            TableId::Nccl,
            SliceKey::new(&["op"], &[2]),
            Slice::Curve(curve),
        )
        .unwrap();
    let error = tables.pack(compress).unwrap_err();
    assert_eq!(error, TableError::BadLatency { what: "nccl" });
}

#[test]
fn a_slice_of_the_wrong_kind_is_refused() {
    let mut tables = PerfTables::default();
    let curve = Curve::new([(1, 1.0)]).unwrap();
    let wrong_layout = tables.insert(
        TableId::Gemm,
        SliceKey::new(&["fp8"], &[]),
        Slice::Curve(curve.clone()),
    );
    assert_eq!(wrong_layout, Err(TableError::WrongLayout { table: "gemm" }));
    let wrong_key = tables.insert(TableId::Nccl, SliceKey::new(&[], &[2]), Slice::Curve(curve));
    assert_eq!(wrong_key, Err(TableError::WrongLayout { table: "nccl" }));
}

#[test]
fn a_file_that_is_something_else_is_named_as_such() {
    let error = PerfTables::unpack("notes.txt", b"Dear diary, this is no table.").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("notes.txt") && text.contains("AICP"),
        "{text}"
    );
    let too_short = PerfTables::unpack("x", &b"AICP"[..]).unwrap_err();
    assert!(
        matches!(too_short, TableError::Corrupt { offset: 4, .. }),
        "{HEADER_LEN}: {too_short}"
    );
}
