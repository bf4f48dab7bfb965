//! Profiles in NPZ files: values, and what is said of bad ones.

use std::io::Write;
use std::path::PathBuf;

use aic_perf::ProfileModel;
use proptest::prelude::*;
use sim_api::{Coverage, DecodeStep, PrefillStep, StepTimeModel};

/// A `.npy` file of floating-point numbers.
fn npy(shape: &str, values: &[f64]) -> Vec<u8> {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let data: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    [
        b"\x93NUMPY\x01\x00",
        length.as_slice(),
        header.as_bytes(),
        &data,
    ]
    .concat()
}

/// A zip file of these members, stored or deflated, with a 64-bit extra field as NumPy writes it.
fn zip(members: &[(&str, Vec<u8>)], deflate: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, contents) in members {
        let mut checksum = flate2::Crc::new();
        checksum.update(contents);
        let packed = if deflate {
            let mut encoder =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(contents).unwrap();
            encoder.finish().unwrap()
        } else {
            contents.clone()
        };
        let small = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let method = if deflate { 8_u16 } else { 0 }.to_le_bytes();
        let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
        let sizes = [
            checksum.sum().to_le_bytes(),
            small(packed.len()),
            small(contents.len()),
        ]
        .concat();
        let offset = small(file.len());
        let extra = [[1, 0, 16, 0].as_slice(), &[0; 16]].concat();
        let common = [
            [45, 0, 0, 0].as_slice(),
            &method,
            &[0; 4],
            &sizes,
            &name_length,
        ]
        .concat();
        file.extend(
            [
                b"PK\x03\x04",
                common.as_slice(),
                &[20, 0],
                name.as_bytes(),
                &extra,
                &packed,
            ]
            .concat(),
        );
        directory.extend(
            [
                b"PK\x01\x02\x2d\x03",
                common.as_slice(),
                &[0; 12],
                &offset,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let start = u32::try_from(file.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &count,
        &count,
        &length,
        &start,
        &[0; 2],
    ]
    .concat();
    [file, directory, end].concat()
}

type Members = Vec<(&'static str, Vec<u8>)>;

fn members() -> Members {
    vec![
        ("prefill_isl.npy", npy("(3,)", &[10.0, 20.0, 40.0])),
        ("prefill_ttft_ms.npy", npy("(3,)", &[5.0, 9.0, 30.0])),
        (
            "decode_active_kv_tokens.npy",
            npy("(3,)", &[0.0, 100.0, 200.0]),
        ),
        ("decode_context_length.npy", npy("(2,)", &[0.0, 50.0])),
        (
            "decode_itl.npy",
            npy("(3, 2)", &[2.0, 4.0, 6.0, 9.0, 12.0, 20.0]),
        ),
    ]
}

fn load(name: &str, bytes: &[u8]) -> Result<ProfileModel, String> {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    ProfileModel::load(&path).map_err(|error| error.to_string())
}

fn decode(model: &mut ProfileModel, active_kv_tokens: u64, context: u32) -> f64 {
    let step = DecodeStep {
        batch: 1,
        active_kv_tokens,
        context,
        kv_capacity_tokens: 400,
    };
    model.decode(step).unwrap().ms
}

#[test]
fn stored_and_deflated_profiles_interpolate_and_go_on() {
    for deflate in [false, true] {
        let mut model = load("p.npz", &zip(&members(), deflate)).unwrap();
        let mut prefill = |batch, isl, prefix| {
            let time = model.prefill(PrefillStep { batch, isl, prefix }).unwrap();
            (time.ms, time.coverage)
        };
        assert_eq!(prefill(1, 20, 0), (9.0, Coverage::Measured));
        assert_eq!(prefill(3, 15, 5), (19.5, Coverage::Interpolated));
        assert_eq!(prefill(1, 4, 0), (2.6, Coverage::Extrapolated));
        assert_eq!(prefill(1, 240, 0), (240.0, Coverage::Extrapolated));
        assert_eq!(decode(&mut model, 50, 25), f64::midpoint(3.0, 7.5));
        assert_eq!(decode(&mut model, 300, 0), 18.0);
    }
}

/// Files that NumPy wrote, with whole numbers, single precision and column order; figures of the reference.
#[test]
fn profiles_of_numpy_are_read() {
    for name in ["profile_stored.npz", "profile_deflated.npz"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let mut model = ProfileModel::load(&path).unwrap();
        let step = PrefillStep {
            batch: 1,
            isl: 16,
            prefix: 0,
        };
        let mut ttft = model.prefill(step).unwrap().ms;
        assert!((ttft - 7.4).abs() < 1e-12);
        ttft += decode(&mut model, 16, 16);
        assert!((ttft - 10.7312).abs() < 1e-9, "{ttft}");
        assert!((decode(&mut model, 20, 17) - 3.548).abs() < 1e-9);
        assert!((decode(&mut model, 244, 241) - 123.0904).abs() < 1e-9);
    }
}

#[test]
fn bad_profiles_are_explained() {
    let broken = |change: &dyn Fn(&mut Members)| {
        let mut members = members();
        change(&mut members);
        load("p.npz", &zip(&members, true)).unwrap_err()
    };
    let missing = broken(&|members| members[4].0 = "decode_itr.npy");
    assert!(
        missing.contains("\"decode_itl\": missing; did you mean \"decode_itr\""),
        "{missing}"
    );
    let shape = broken(&|members| members[4].1 = npy("(2, 3)", &[1.0; 6]));
    assert!(shape.contains("shape [2, 3]: expected [3, 2]"), "{shape}");
    let order = broken(&|members| members[0].1 = npy("(3,)", &[10.0, 40.0, 20.0]));
    assert!(
        order.contains("\"prefill_isl\": expected strictly ascending"),
        "{order}"
    );
    let number = broken(&|members| members[1].1 = npy("(3,)", &[1.0, f64::NAN, 2.0]));
    assert!(number.contains("not finite"), "{number}");
    assert!(
        load("p.npz", b"time,ms\n")
            .unwrap_err()
            .contains("not a zip file")
    );
    let absent = ProfileModel::load("/no/such/profile.npz".as_ref()).unwrap_err();
    assert!(
        absent.to_string().contains("/no/such/profile.npz"),
        "{absent}"
    );
}

proptest! {
    #[test]
    fn damaged_profiles_are_errors_or_right(at in 0_usize..2000, bit in 0_u8..8, cut in 0_usize..2000) {
        let mut bytes = zip(&members(), true);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        bytes.truncate(bytes.len() - cut.saturating_sub(1800) % bytes.len());
        if let Ok(mut model) = load("p.npz", &bytes) {
            prop_assert!(decode(&mut model, 50, 25).is_finite());
        }
    }
}
