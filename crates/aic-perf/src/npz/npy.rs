//! One NumPy array file.

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array of numbers, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Element {
    big_endian: bool,
    kind: u8,
    width: usize,
}

impl Array {
    /// Reads an array of whole or floating-point numbers.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (header, data) = split(bytes).ok_or("not a .npy array")?;
        let descriptor = value_of(header, "descr").ok_or("no 'descr' in the array header")?;
        let element = Element::parse(descriptor.trim_matches(['\'', '"']))?;
        let column_order = value_of(header, "fortran_order").is_some_and(|v| v.starts_with("True"));
        let shape = parse_shape(value_of(header, "shape").unwrap_or_default())
            .ok_or("no usable 'shape' in the array header")?;
        let count = shape
            .iter()
            .try_fold(1_usize, |product, size| product.checked_mul(*size))
            .ok_or("array too large")?;
        if Some(data.len()) != count.checked_mul(element.width) {
            let bytes = data.len();
            return Err(format!("{bytes} bytes of data do not fit shape {shape:?}"));
        }
        let mut values: Vec<f64> = data
            .chunks_exact(element.width)
            .map(|b| element.read(b))
            .collect();
        if column_order && let [rows, columns] = shape[..] {
            let by_column = values;
            let at = |index: usize| by_column[index % columns * rows + index / columns];
            values = (0..count).map(at).collect();
        } else if column_order && shape.len() > 2 {
            return Err("more than two axes in column order are not supported".to_owned());
        }
        Ok(Self { shape, values })
    }
}

impl Element {
    fn parse(descriptor: &str) -> Result<Self, String> {
        let unsupported = || format!("numbers of type {descriptor:?} are not supported");
        let mut parts = descriptor.bytes();
        let (order, kind) = parts.next().zip(parts.next()).ok_or_else(unsupported)?;
        let width = descriptor.get(2..).and_then(|width| width.parse().ok());
        let element = Self {
            big_endian: order == b'>',
            kind,
            width: width.ok_or_else(unsupported)?,
        };
        match (kind, element.width) {
            (b'f', 4 | 8) | (b'i' | b'u', 1 | 2 | 4 | 8) => Ok(element),
            _ => Err(unsupported()),
        }
    }

    fn read(self, bytes: &[u8]) -> f64 {
        let mut eight = [0; 8];
        for (index, byte) in bytes.iter().enumerate() {
            let place = if self.big_endian {
                bytes.len() - 1 - index
            } else {
                index
            };
            eight[place] = *byte;
        }
        let raw = u64::from_le_bytes(eight);
        let unused = 64 - 8 * bytes.len() as u32;
        match (self.kind, self.width) {
            (b'f', 4) => f64::from(f32::from_bits(raw as u32)),
            (b'f', _) => f64::from_bits(raw),
            (b'i', _) => ((raw << unused) as i64 >> unused) as f64,
            _ => raw as f64,
        }
    }
}

/// Header text and data.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_at_checked(2)?;
    let width = if version[0] == 1 { 2 } else { 4 };
    let (length, rest) = rest.split_at_checked(width)?;
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (header, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// What follows a key in the header, a Python dictionary.
fn value_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{key}'"))?;
    let value = header[at..].split_once(':')?.1.trim_start();
    let end = match value.as_bytes().first()? {
        b'(' => value.find(')')? + 1,
        _ => value.find([',', '}'])?,
    };
    Some(value[..end].trim_end())
}

fn parse_shape(shape: &str) -> Option<Vec<usize>> {
    shape
        .strip_prefix('(')?
        .strip_suffix(')')?
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    fn values(descr: &str, data: &[u8]) -> Vec<f64> {
        let width: usize = descr[2..].parse().unwrap();
        let shape = format!("({},)", data.len() / width);
        Array::parse(&npy(descr, "False", &shape, data))
            .unwrap()
            .values
    }

    #[test]
    fn every_kind_of_number() {
        assert_eq!(values("<f8", &2.5_f64.to_le_bytes()), [2.5]);
        assert_eq!(values(">f4", &(-2.5_f32).to_be_bytes()), [-2.5]);
        assert_eq!(values("<i4", &(-7_i32).to_le_bytes()), [-7.0]);
        assert_eq!(values(">i8", &(-7_i64).to_be_bytes()), [-7.0]);
        assert_eq!(values("|u1", &[200, 1]), [200.0, 1.0]);
        assert_eq!(values("|i1", &[200]), [-56.0]);
    }

    #[test]
    fn column_order_is_turned() {
        let array = Array::parse(&npy("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn what_is_no_array_is_said() {
        assert!(Array::parse(b"PK").unwrap_err().contains("not a .npy"));
        let objects = Array::parse(&npy("|O", "False", "(1,)", &[0])).unwrap_err();
        assert!(objects.contains("|O"), "{objects}");
        let short = Array::parse(&npy("<f8", "False", "(2,)", &[0; 8])).unwrap_err();
        assert!(short.contains("do not fit"), "{short}");
    }
}
