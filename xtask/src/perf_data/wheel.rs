//! The published package with the measurements.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// The package and the release that the packed files are made of.
const PACKAGE: &str = "aiconfigurator_core";
const RELEASE: &str = "0.12.0";

/// The measurements, unpacked for as long as this lives.
#[derive(Debug)]
pub(super) struct Wheel {
    directory: TempDir,
}

impl Wheel {
    /// Unpacks the data of a wheel file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let directory = TempDir::new()?;
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let mut archive = zip::ZipArchive::new(file).with_context(|| path.display().to_string())?;
        let prefix = format!("{PACKAGE}/systems/");
        let mut any = false;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index)?;
            let Some(name) = entry.enclosed_name() else {
                continue;
            };
            if !entry.is_file() || !name.starts_with(&prefix) {
                continue;
            }
            let target = directory.path().join(&name);
            fs::create_dir_all(target.parent().context("an entry without a directory")?)?;
            io::copy(&mut entry, &mut File::create(&target)?)?;
            any = true;
        }
        ensure!(any, "{}: no {prefix} in it", path.display());
        Ok(Self { directory })
    }

    /// Has `pip` download the wheel, then unpacks it.
    pub(super) fn download() -> Result<Self> {
        let directory = TempDir::new()?;
        let status = Command::new("pip")
            .args(["download", "--no-deps", "--dest"])
            .arg(directory.path())
            .arg(format!("{PACKAGE}=={RELEASE}"))
            .status()
            .context("running pip; --wheel FILE works without it")?;
        ensure!(
            status.success(),
            "pip could not download {PACKAGE} {RELEASE}"
        );
        for entry in fs::read_dir(directory.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "whl") {
                return Self::open(&path);
            }
        }
        bail!("pip left no wheel of {PACKAGE} {RELEASE}")
    }

    /// The directory with manifests and measurements.
    pub(super) fn systems(&self) -> PathBuf {
        self.directory.path().join(PACKAGE).join("systems")
    }
}
