//! The command's flags and its course.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::catalogue::Catalogue;
use super::chain::Target;
use super::pack::Packer;
use super::provenance::Provenance;
use super::version::Version;
use super::wheel::Wheel;

/// GPUs whose tables are part of the program.
const SKUS: [&str; 7] = [
    "a100_sxm",
    "h100_sxm",
    "h200_sxm",
    "b200_sxm",
    "gb200",
    "l40s",
    "rtx_pro_6000_server",
];
const BACKENDS: [&str; 3] = ["vllm", "sglang", "trtllm"];
/// Files are packed once and read often.
const ZSTD_LEVEL: i32 = 19;

/// Pack the published measurements into the table files of aic-perf.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The wheel of aiconfigurator_core 0.12.0.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "pip",
        required_unless_present = "pip"
    )]
    wheel: Option<PathBuf>,
    /// Have pip download the wheel.
    #[arg(long)]
    pip: bool,
    /// Where the files go, with PROVENANCE.md; without it, the files of the crate are made anew.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// GPUs to pack (may be repeated); without it, those that are part of the program.
    #[arg(long, value_name = "NAME")]
    sku: Vec<String>,
    /// Frameworks to pack (may be repeated).
    #[arg(long, value_name = "NAME", value_parser = BACKENDS)]
    backend: Vec<String>,
    /// Release of the framework instead of the current one; goes with a single --backend.
    #[arg(long, value_name = "VERSION", requires = "backend")]
    release: Option<String>,
}

/// Packs what the flags ask for.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wheel = match &args.wheel {
        Some(path) => Wheel::open(path)?,
        None => Wheel::download()?,
    };
    let catalogue = Catalogue::open(&wheel.systems())?;
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aic-perf");
    let (data, record) = match &args.out {
        Some(out) => (out.clone(), out.join("PROVENANCE.md")),
        None => (own.join("data"), own.join("PROVENANCE.md")),
    };
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    let mut provenance = Provenance::default();
    let mut total = 0;
    for target in targets(args, &catalogue)? {
        let packer = Packer::run(&catalogue, &target)?;
        let contents = packer.tables.pack(compress)?;
        let name = format!("{}__{}.aicp", target.sku, target.backend);
        fs::write(data.join(&name), &contents).with_context(|| name.clone())?;
        provenance.add(&packer, &name, &contents)?;
        println!("{name}: {} bytes", contents.len());
        total += contents.len();
    }
    provenance.write(&record)?;
    println!("{total} bytes in all; {}", record.display());
    Ok(())
}

fn targets(args: &Args, catalogue: &Catalogue) -> Result<Vec<Target>> {
    let or_all = |given: &[String], all: &[&str]| -> Vec<String> {
        if given.is_empty() {
            all.iter().map(ToString::to_string).collect()
        } else {
            given.to_vec()
        }
    };
    let mut targets = Vec::new();
    for sku in or_all(&args.sku, &SKUS) {
        for backend in or_all(&args.backend, &BACKENDS) {
            let version = match &args.release {
                Some(release) => Version::parse(release)?,
                None => catalogue.current(&sku, &backend)?,
            };
            targets.push(Target {
                sku: sku.clone(),
                backend,
                version,
            });
        }
    }
    Ok(targets)
}

fn compress(payload: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(payload, ZSTD_LEVEL).expect("zstd compresses what is in memory")
}
