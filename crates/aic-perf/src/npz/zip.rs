//! Members of a zip file, found by its central directory.

use std::io::Read;

const DIRECTORY_END: &[u8] = b"PK\x05\x06";
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_END_BYTES: usize = 22;
const DIRECTORY_ENTRY_BYTES: usize = 46;
const LOCAL_HEADER_BYTES: usize = 30;
/// The longest comment behind the directory.
const COMMENT_MAX: usize = 65_535;
/// Says that the number is in the 64-bit extra field.
const IN_EXTRA: u64 = u32::MAX as u64;
const EXTRA_64: u64 = 1;
const STORED: u64 = 0;
const DEFLATED: u64 = 8;

/// A member, contents not read yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    method: u64,
    checksum: u64,
    packed: u64,
    size: u64,
    header: u64,
}

/// The members in the order of the directory.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member>, String> {
    let not_zip = || "not a zip file (no directory at its end)".to_owned();
    let from = bytes
        .len()
        .saturating_sub(DIRECTORY_END_BYTES + COMMENT_MAX);
    let tail = &bytes[from..];
    let end = tail
        .windows(DIRECTORY_END.len())
        .rposition(|window| window == DIRECTORY_END)
        .ok_or_else(not_zip)?;
    let end = tail
        .get(end..end + DIRECTORY_END_BYTES)
        .ok_or_else(not_zip)?;
    let count = number(end, 10, 2).ok_or_else(not_zip)?;
    let mut offset = index(number(end, 16, 4).ok_or_else(not_zip)?)?;
    let mut members = Vec::new();
    for _ in 0..count {
        let entry = bytes.get(offset..).unwrap_or_default();
        let (member, length) =
            entry_at(entry).ok_or_else(|| format!("damaged zip directory at byte {offset}"))?;
        members.push(member);
        offset += length;
    }
    Ok(members)
}

/// The directory entry at the start of `bytes` and its length.
fn entry_at(bytes: &[u8]) -> Option<(Member, usize)> {
    bytes.starts_with(DIRECTORY_ENTRY).then_some(())?;
    let field = |at, width| number(bytes, at, width);
    let lengths = [field(28, 2)?, field(30, 2)?, field(32, 2)?].map(|length| length as usize);
    let name = bytes.get(DIRECTORY_ENTRY_BYTES..DIRECTORY_ENTRY_BYTES + lengths[0])?;
    let extra_from = DIRECTORY_ENTRY_BYTES + lengths[0];
    let extra = bytes.get(extra_from..extra_from + lengths[1])?;
    let mut large = large_numbers(extra).into_iter();
    let mut or_large = |value: u64| {
        if value == IN_EXTRA {
            large.next()
        } else {
            Some(value)
        }
    };
    let member = Member {
        name: String::from_utf8_lossy(name).into_owned(),
        method: field(10, 2)?,
        checksum: field(16, 4)?,
        size: or_large(field(24, 4)?)?,
        packed: or_large(field(20, 4)?)?,
        header: or_large(field(42, 4)?)?,
    };
    Some((
        member,
        DIRECTORY_ENTRY_BYTES + lengths.iter().sum::<usize>(),
    ))
}

/// The 64-bit numbers of an extra field.
fn large_numbers(mut extra: &[u8]) -> Vec<u64> {
    while let (Some(id), Some(length)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let end = (4 + length as usize).min(extra.len());
        if id == EXTRA_64 {
            return extra[4..end]
                .chunks_exact(8)
                .filter_map(|chunk| number(chunk, 0, 8))
                .collect();
        }
        extra = &extra[end..];
    }
    Vec::new()
}

impl Member {
    /// The contents, checked against size and checksum.
    pub(super) fn contents(&self, bytes: &[u8], most: u64) -> Result<Vec<u8>, String> {
        let damaged = || format!("damaged zip member at byte {}", self.header);
        if self.size > most {
            return Err(format!("{} bytes are more than the {most} read", self.size));
        }
        let local = bytes.get(index(self.header)?..).ok_or_else(damaged)?;
        if !local.starts_with(LOCAL_HEADER) {
            return Err(damaged());
        }
        let lengths = number(local, 26, 2).zip(number(local, 28, 2));
        let (name, extra) = lengths.ok_or_else(damaged)?;
        let from = LOCAL_HEADER_BYTES + (name + extra) as usize;
        let packed = from
            .checked_add(index(self.packed)?)
            .and_then(|end| local.get(from..end))
            .ok_or_else(damaged)?;
        let contents = match self.method {
            STORED => packed.to_vec(),
            DEFLATED => {
                let mut contents = Vec::new();
                flate2::read::DeflateDecoder::new(packed)
                    .take(self.size + 1)
                    .read_to_end(&mut contents)
                    .map_err(|error| format!("{}: {error}", damaged()))?;
                contents
            }
            other => return Err(format!("zip method {other} is not supported")),
        };
        let mut checksum = flate2::Crc::new();
        checksum.update(&contents);
        if contents.len() as u64 != self.size || u64::from(checksum.sum()) != self.checksum {
            return Err(damaged());
        }
        Ok(contents)
    }
}

/// The little-endian number of `width` bytes at `at`.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(
        field
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

fn index(offset: u64) -> Result<usize, String> {
    usize::try_from(offset).map_err(|_| format!("offset {offset} is beyond the file"))
}
