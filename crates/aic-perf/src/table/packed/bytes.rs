//! Reading and writing the payload's numbers, with every read checked against the end.

use crate::table::TableError;

/// Appends numbers to a payload.
#[derive(Debug, Default)]
pub(super) struct Sink {
    bytes: Vec<u8>,
}

impl Sink {
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A LEB128 number.
    pub(super) fn number(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes numbers off a payload.
#[derive(Debug)]
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// The error of finding something else than `reason` here. The file's name is filled in by whoever knows it.
    pub(super) fn corrupt(&self, reason: &'static str) -> TableError {
        TableError::Corrupt {
            file: String::new(),
            offset: self.offset,
            reason,
        }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'a [u8], TableError> {
        let rest = &self.bytes[self.offset..];
        let taken = rest.get(..len).ok_or_else(|| self.corrupt("more bytes"))?;
        self.offset += len;
        Ok(taken)
    }

    /// A LEB128 number of at most 32 bits.
    pub(super) fn number(&mut self) -> Result<u32, TableError> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.raw(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| self.corrupt("a 32-bit number"));
            }
        }
        Err(self.corrupt("a 32-bit number"))
    }

    /// A count of things that take at least a byte each, so no larger than what remains.
    pub(super) fn count(&mut self) -> Result<usize, TableError> {
        let count = self.number()? as usize;
        if count > self.remaining() {
            return Err(self.corrupt("a count that fits the rest of the file"));
        }
        Ok(count)
    }

    /// An index below `len`.
    pub(super) fn index(&mut self, len: usize) -> Result<usize, TableError> {
        let index = self.number()? as usize;
        if index >= len {
            return Err(self.corrupt("an index within its list"));
        }
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sink, Source};

    #[test]
    fn numbers_of_every_length_round_trip() {
        let numbers = [0, 1, 127, 128, 16383, 16384, 1 << 21, 1 << 28, u32::MAX];
        let mut sink = Sink::default();
        for number in numbers {
            sink.number(number);
        }
        let bytes = sink.into_bytes();
        let mut source = Source::new(&bytes);
        for number in numbers {
            assert_eq!(source.number(), Ok(number));
        }
        assert_eq!(source.remaining(), 0);
    }

    #[test]
    fn a_number_past_the_end_or_past_32_bits_is_an_error() {
        assert!(Source::new(&[0x80]).number().is_err());
        assert!(
            Source::new(&[0xff, 0xff, 0xff, 0xff, 0x1f])
                .number()
                .is_err()
        );
        assert!(Source::new(&[0xff; 8]).number().is_err());
    }

    #[test]
    fn a_count_larger_than_the_rest_is_an_error() {
        assert_eq!(Source::new(&[2, 0, 0]).count(), Ok(2));
        assert!(Source::new(&[3, 0, 0]).count().is_err());
    }
}
