//! Numbered lines of a trace file.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

use super::decompress::decompressed;
use crate::error::{RowError, RowProblem, TraceError};

/// Longest accepted line. A row of a million hash ids has some 8 MB.
const LINE_BYTES_MAX: usize = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The lines of one file; blank ones are skipped but counted.
pub(crate) struct Lines {
    trace: String,
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
    limit: usize,
}

/// What comes next in a file.
pub(crate) type NextLine<'a> = Result<Option<(u64, &'a [u8])>, TraceError>;

impl Lines {
    /// Opens a file, plain or compressed.
    pub(crate) fn open(path: &Path) -> Result<Self, TraceError> {
        let trace = path.display().to_string();
        let failed = |source| TraceError::Open {
            trace: trace.clone(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(TraceError::Directory { trace });
        }
        Self::from_reader(trace, file)
    }

    /// Lines of anything that can be read; `trace` is its name in messages.
    pub(crate) fn from_reader(
        trace: String,
        input: impl Read + Send + 'static,
    ) -> Result<Self, TraceError> {
        match decompressed(input) {
            Ok(input) => Ok(Self {
                trace,
                input,
                line: Vec::new(),
                number: 0,
                limit: LINE_BYTES_MAX,
            }),
            Err(source) => Err(TraceError::Read {
                trace,
                line: 0,
                source,
            }),
        }
    }

    /// The file, for messages.
    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }

    /// Names the file in an error about a row of it.
    pub(crate) fn row_error(&self, error: RowError) -> TraceError {
        TraceError::Row {
            trace: self.trace.clone(),
            error: Box::new(error),
        }
    }

    /// The next line that is not blank, with its number, without its end.
    pub(crate) fn next_line(&mut self) -> NextLine<'_> {
        loop {
            self.line.clear();
            let mut limited = self.input.by_ref().take(self.limit as u64 + 1);
            match limited.read_until(b'\n', &mut self.line) {
                Ok(0) => return Ok(None),
                Ok(_) => self.number += 1,
                Err(source) => return Err(self.read_error(source)),
            }
            if self.line.len() > self.limit {
                return Err(self.too_long());
            }
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let end = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some((self.number, end)))
    }

    fn read_error(&self, source: io::Error) -> TraceError {
        let source = if source.kind() == io::ErrorKind::UnexpectedEof {
            io::Error::new(
                source.kind(),
                format!("the compressed data ends too early, the file is cut ({source})"),
            )
        } else {
            source
        };
        TraceError::Read {
            trace: self.trace.clone(),
            line: self.number,
            source,
        }
    }

    fn too_long(&self) -> TraceError {
        self.row_error(RowError {
            line: self.number,
            problem: RowProblem::LineTooLong { limit: self.limit },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(u64, String)>, TraceError> {
        let mut lines = Lines::from_reader("t".to_owned(), io::Cursor::new(bytes.to_vec()))?;
        lines.limit = 100;
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next_line()? {
            all.push((number, String::from_utf8_lossy(line).into_owned()));
        }
        Ok(all)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(text, level)
    }

    const TEXT: &[u8] = b"one\n\n  \r\ntwo\r\nthree";

    fn expected() -> Vec<(u64, String)> {
        [(1, "one"), (4, "two\r"), (5, "three")]
            .map(|(number, line)| (number, line.to_owned()))
            .to_vec()
    }

    #[test]
    fn blank_lines_count_and_compression_does_not_show() {
        assert_eq!(read(TEXT).unwrap(), expected());
        assert_eq!(read(&gzip(TEXT)).unwrap(), expected());
        assert_eq!(read(&zstd(TEXT)).unwrap(), expected());
        assert_eq!(read(b"\xef\xbb\xbfone").unwrap(), [(1, "one".to_owned())]);
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn several_compressed_members_are_one_file() {
        for pack in [gzip, zstd] {
            let packed = [pack(b"one\ntw"), pack(b"o\n")].concat();
            let lines = [(1, "one".to_owned()), (2, "two".to_owned())];
            assert_eq!(read(&packed).unwrap(), lines);
        }
    }

    #[test]
    fn a_skippable_frame_is_skipped() {
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let packed = [zstd(b"one\n"), skippable, zstd(b"two")].concat();
        assert_eq!(read(&packed).unwrap().len(), 2);
    }

    #[test]
    fn a_cut_compressed_file_is_an_error() {
        let text = "a line\n".repeat(10_000);
        for packed in [gzip(text.as_bytes()), zstd(text.as_bytes())] {
            let error = read(&packed[..packed.len() - 5]).unwrap_err().to_string();
            assert!(error.contains("cut"), "{error}");
            assert!(error.contains("beyond line"), "{error}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let error = read(&[b'x'; 101]).unwrap_err().to_string();
        assert!(error.contains("line 1 is longer than 100 bytes"), "{error}");
        assert!(read(&[b'x'; 100]).is_ok());
    }

    #[test]
    fn a_directory_or_a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Lines::open(dir.path()).err().unwrap().to_string();
        assert!(error.contains("directory"), "{error}");
        let error = Lines::open(&dir.path().join("absent.jsonl")).err().unwrap();
        assert!(error.to_string().contains("absent.jsonl"), "{error}");
    }
}
