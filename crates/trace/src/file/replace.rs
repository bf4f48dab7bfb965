//! A file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::TraceError;

/// Written beside its target and renamed at the end; dropped before, it
/// leaves nothing. A target ending in `.gz` is compressed; one that is no
/// regular file (a pipe, say) is written directly.
pub(crate) struct Replacement {
    target: PathBuf,
    /// `None` if the target itself is written.
    beside: Option<PathBuf>,
    out: Sink,
}

enum Sink {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Closed,
}

impl Replacement {
    pub(crate) fn create(target: &Path) -> Result<Self, TraceError> {
        let direct = fs::metadata(target).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let beside = (!direct).then(|| {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            target.with_file_name(format!(".{name}.{}.part", std::process::id()))
        });
        let opened = if target.is_dir() {
            Err(io::Error::from(io::ErrorKind::IsADirectory))
        } else if let Some(beside) = &beside {
            File::create(beside)
        } else {
            File::options().write(true).open(target)
        };
        let file = BufWriter::new(opened.map_err(|source| failed(target, source))?);
        let gzip = target
            .extension()
            .is_some_and(|extension| extension == "gz");
        Ok(Self {
            target: target.to_owned(),
            beside,
            out: if gzip {
                Sink::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
            } else {
                Sink::Plain(file)
            },
        })
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), TraceError> {
        let out: &mut dyn Write = match &mut self.out {
            Sink::Plain(out) => out,
            Sink::Gzip(out) => out,
            Sink::Closed => return Ok(()),
        };
        out.write_all(line)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|source| failed(&self.target, source))
    }

    /// Puts the file in its place.
    pub(crate) fn commit(mut self) -> Result<(), TraceError> {
        let flushed = match std::mem::replace(&mut self.out, Sink::Closed) {
            Sink::Plain(mut out) => out.flush(),
            Sink::Gzip(out) => out.finish().and_then(|mut out| out.flush()),
            Sink::Closed => Ok(()),
        };
        flushed
            .and_then(|()| match &self.beside {
                Some(beside) => fs::rename(beside, &self.target),
                None => Ok(()),
            })
            .map_err(|source| failed(&self.target, source))?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // Nothing better can be done about a file that will not go.
            let _ = fs::remove_file(beside);
        }
    }
}

fn failed(target: &Path, source: io::Error) -> TraceError {
    TraceError::Write {
        trace: target.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_replacement_leaves_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("t.jsonl");
        fs::write(&target, "old").unwrap();
        let mut new = Replacement::create(&target).unwrap();
        new.line(b"new").unwrap();
        drop(new);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let mut new = Replacement::create(&target).unwrap();
        new.line(b"new").unwrap();
        new.commit().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_is_no_target() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Replacement::create(dir.path()).is_err());
        assert!(Replacement::create(&dir.path().join("no/such")).is_err());
    }
}
