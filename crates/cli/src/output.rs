//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that is written beside its place and renamed into it when finished;
/// dropped unfinished, it leaves nothing behind.
pub(crate) struct AtomicFile {
    target: PathBuf,
    beside: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Opens a file beside `target`, making folders as needed.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let folder = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let name = target
            .file_name()
            .with_context(|| format!("{} is not a file name", target.display()))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let beside = target.with_file_name(hidden);
        let file =
            File::create(&beside).with_context(|| format!("cannot write {}", target.display()))?;
        Ok(Self {
            target: target.to_owned(),
            beside,
            writer: Some(BufWriter::new(file)),
        })
    }

    /// Puts the file in its place.
    pub(crate) fn finish(mut self) -> Result<()> {
        let target = self.target.clone();
        let failed = || format!("cannot write {}", target.display());
        if let Some(writer) = self.writer.take() {
            writer
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .with_context(failed)?;
        }
        std::fs::rename(&self.beside, &self.target).with_context(failed)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After `finish` the name no longer exists and this does nothing.
        drop(self.writer.take());
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// Writes `text` to `target`, whole or not at all.
pub(crate) fn write_file(target: &Path, text: &str) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", target.display()))?;
    file.finish()
}
