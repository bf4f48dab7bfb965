//! A Parquet file as columns.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{FileReader, SerializedFileReader};

/// All rows of a file.
#[derive(Debug)]
pub(super) struct Rows {
    columns: Vec<(String, Column)>,
    len: usize,
}

#[derive(Debug)]
enum Column {
    /// Indices into the distinct texts.
    Text(Vec<Option<u32>>, Vec<String>),
    Whole(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    rows: &'a Rows,
    index: usize,
}

impl Rows {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let file = File::open(path).with_context(name)?;
        let reader = SerializedFileReader::new(file).with_context(name)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let mut columns = Vec::new();
        for index in 0..schema.num_columns() {
            let column = read_column(&reader, index).with_context(name)?;
            columns.push((schema.column(index).name().to_owned(), column));
        }
        let len = usize::try_from(reader.metadata().file_metadata().num_rows())?;
        Ok(Self { columns, len })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len).map(|index| Row { rows: self, index })
    }
}

impl<'a> Row<'a> {
    fn column(self, name: &str) -> Option<&'a Column> {
        self.rows
            .columns
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, column)| column)
    }

    /// A text, or nothing where the column or the value is missing.
    pub(super) fn text_or_none(self, name: &str) -> Option<&'a str> {
        match self.column(name)? {
            Column::Text(ids, texts) => Some(texts[ids[self.index]? as usize].as_str()),
            _ => None,
        }
    }

    pub(super) fn text(self, name: &str) -> Result<&'a str> {
        self.text_or_none(name)
            .with_context(|| format!("row {}: no text {name:?}", self.index))
    }

    /// A whole number, or nothing where the column or the value is missing.
    pub(super) fn number_or_none(self, name: &str) -> Option<u32> {
        match self.column(name)? {
            Column::Whole(values) => u32::try_from(values[self.index]?).ok(),
            _ => None,
        }
    }

    pub(super) fn number(self, name: &str) -> Result<u32> {
        let number = self.number_or_none(name);
        number.with_context(|| format!("row {}: no 32-bit number {name:?}", self.index))
    }

    /// The measured latency in ms.
    pub(super) fn latency(self) -> Result<f64> {
        match self.column("latency") {
            Some(Column::Real(values)) => values[self.index],
            _ => None,
        }
        .filter(|latency| latency.is_finite())
        .with_context(|| format!("row {}: no latency", self.index))
    }
}

fn read_column(reader: &SerializedFileReader<File>, index: usize) -> Result<Column> {
    let mut texts: Vec<String> = Vec::new();
    let mut ids = Vec::new();
    let mut whole = Vec::new();
    let mut real = Vec::new();
    for group in 0..reader.num_row_groups() {
        match reader.get_row_group(group)?.get_column_reader(index)? {
            ColumnReader::ByteArrayColumnReader(column) => {
                for value in values(column)? {
                    ids.push(value.map(|value| intern(&value, &mut texts)).transpose()?);
                }
            }
            ColumnReader::Int64ColumnReader(column) => whole.extend(values(column)?),
            ColumnReader::Int32ColumnReader(column) => {
                whole.extend(
                    values(column)?
                        .into_iter()
                        .map(|value| value.map(i64::from)),
                );
            }
            ColumnReader::DoubleColumnReader(column) => real.extend(values(column)?),
            ColumnReader::FloatColumnReader(column) => {
                real.extend(
                    values(column)?
                        .into_iter()
                        .map(|value| value.map(f64::from)),
                );
            }
            _ => bail!("column {index} is neither text nor a number"),
        }
    }
    Ok(if !ids.is_empty() {
        Column::Text(ids, texts)
    } else if !whole.is_empty() {
        Column::Whole(whole)
    } else {
        Column::Real(real)
    })
}

fn intern(value: &ByteArray, texts: &mut Vec<String>) -> Result<u32> {
    let text = value.as_utf8()?;
    let at = texts
        .iter()
        .position(|known| known == text)
        .unwrap_or_else(|| {
            texts.push(text.to_owned());
            texts.len() - 1
        });
    Ok(u32::try_from(at)?)
}

/// Every value of a flat column, nothing where it is null.
fn values<T: DataType>(mut column: ColumnReaderImpl<T>) -> Result<Vec<Option<T::T>>> {
    let mut levels = Vec::new();
    let mut present = Vec::new();
    let (mut records, mut read) = (0, 1);
    while read > 0 {
        (read, _, _) = column.read_records(1 << 20, Some(&mut levels), None, &mut present)?;
        records += read;
    }
    if present.len() == records {
        return Ok(present.into_iter().map(Some).collect());
    }
    let mut present = present.into_iter();
    Ok(levels
        .iter()
        .map(|level| if *level > 0 { present.next() } else { None })
        .collect())
}
