//! The rows that traces are full of, at the speed of a scan.
//!
//! Takes flat objects of known fields with unsigned integers and plain strings;
//! whatever else leaves it to the full parser, which also writes the errors.

use super::row::MooncakeRow;

/// Parses a line into `row`; `None`, with `row` undefined, if the full parser
/// has to.
pub(super) fn parse(line: &[u8], row: &mut MooncakeRow) -> Option<()> {
    row.clear();
    let mut scan = Scan { bytes: line, at: 0 };
    scan.token(b'{')?;
    loop {
        field(&mut scan, row)?;
        match scan.next_token()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    scan.skip_space();
    (scan.at == line.len()).then_some(())
}

fn field(scan: &mut Scan<'_>, row: &mut MooncakeRow) -> Option<()> {
    let key = scan.string()?;
    scan.token(b':')?;
    match key {
        b"timestamp" => row.timestamp_ms.name = Some(scan.count()? as f64),
        b"created_time" => row.timestamp_ms.alias = Some(scan.count()? as f64),
        b"delay" => row.delay_ms.name = Some(scan.count()? as f64),
        b"delay_ms" => row.delay_ms.alias = Some(scan.count()? as f64),
        b"input_length" => row.input.name = Some(scan.count()?),
        b"input_tokens" => row.input.alias = Some(scan.count()?),
        b"output_length" => row.output.name = Some(scan.count()?),
        b"output_tokens" => row.output.alias = Some(scan.count()?),
        b"priority" => row.priority = i32::try_from(scan.count()?).ok()?,
        b"session_id" => {
            let session = std::str::from_utf8(scan.string()?).ok()?;
            row.session.clear();
            row.session.push_str(session);
            row.has_session = true;
        }
        b"hash_ids" => {
            row.ids.clear();
            scan.counts(&mut row.ids)?;
            row.has_ids = true;
        }
        _ => return None,
    }
    Some(())
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn next_token(&mut self) -> Option<u8> {
        self.skip_space();
        let token = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn token(&mut self, wanted: u8) -> Option<()> {
        (self.next_token()? == wanted).then_some(())
    }

    /// A string without escapes and control characters.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.token(b'"')?;
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        self.at += length + 1;
        (rest[length] == b'"').then_some(&rest[..length])
    }

    /// An unsigned integer of at most 19 digits, which always fit. What
    /// follows is for the caller: a point or an exponent is no token it takes.
    fn count(&mut self) -> Option<u64> {
        self.skip_space();
        let rest = &self.bytes[self.at..];
        let mut value = 0_u64;
        let mut digits = 0;
        while let Some(&byte) = rest.get(digits) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            digits += 1;
            if digits > 19 {
                return None;
            }
            value = value * 10 + u64::from(digit);
        }
        self.at += digits;
        let leading_zero = digits > 1 && rest[0] == b'0';
        (digits > 0 && !leading_zero).then_some(value)
    }

    fn counts(&mut self, out: &mut Vec<u64>) -> Option<()> {
        self.token(b'[')?;
        self.skip_space();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
            return Some(());
        }
        loop {
            out.push(self.count()?);
            match self.next_token()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }
}
