//! Any JSON row, through serde, with errors that name the field.

use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use super::row::MooncakeRow;
use crate::error::RowProblem;

/// Parses a line into `row`.
pub(super) fn parse(line: &[u8], row: &mut MooncakeRow) -> Result<(), RowProblem> {
    row.clear();
    let mut field = "";
    let mut json = serde_json::Deserializer::from_slice(line);
    let whole = RowSeed {
        row,
        field: &mut field,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    whole.map_err(|error| problem(&error, field))
}

/// A JSON error in our terms; `field` is the one being read, if any.
pub(crate) fn problem(error: &serde_json::Error, field: &'static str) -> RowProblem {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let why = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    if !error.is_data() {
        return RowProblem::NotJson {
            column: error.column(),
            why,
        };
    }
    if field.is_empty() {
        return RowProblem::NotAnObject { why };
    }
    RowProblem::Invalid { field, why }
}

struct RowSeed<'a> {
    row: &'a mut MooncakeRow,
    field: &'a mut &'static str,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with input_length, output_length and hash_ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { row, field } = self;
        while let Some(key) = map.next_key::<Key>()? {
            *field = key.name();
            match key {
                Key::Session => {
                    let session = map.next_value::<Option<String>>()?;
                    row.has_session = session.is_some();
                    row.session = session.unwrap_or_default();
                }
                Key::Timestamp => row.timestamp_ms.name = map.next_value::<Option<f64>>()?,
                Key::CreatedTime => row.timestamp_ms.alias = map.next_value::<Option<f64>>()?,
                Key::Delay => row.delay_ms.name = map.next_value::<Option<f64>>()?,
                Key::DelayMs => row.delay_ms.alias = map.next_value::<Option<f64>>()?,
                Key::InputLength => row.input.name = map.next_value::<Count>()?.0,
                Key::InputTokens => row.input.alias = map.next_value::<Count>()?.0,
                Key::OutputLength => row.output.name = map.next_value::<Count>()?.0,
                Key::OutputTokens => row.output.alias = map.next_value::<Count>()?.0,
                Key::HashIds => {
                    row.ids.clear();
                    row.has_ids = map.next_value_seed(IdsSeed(&mut row.ids))?;
                }
                Key::Priority => row.priority = map.next_value::<Option<i32>>()?.unwrap_or(0),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            *field = "";
        }
        Ok(())
    }
}

macro_rules! keys {
    ($($key:ident = $name:literal,)*) => {
        #[derive(Clone, Copy)]
        enum Key {
            $($key,)*
            Other,
        }

        impl Key {
            fn name(self) -> &'static str {
                match self {
                    $(Self::$key => $name,)*
                    Self::Other => "",
                }
            }

            fn named(name: &str) -> Self {
                match name {
                    $($name => Self::$key,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

keys! {
    Session = "session_id",
    Timestamp = "timestamp",
    CreatedTime = "created_time",
    Delay = "delay",
    DelayMs = "delay_ms",
    InputLength = "input_length",
    InputTokens = "input_tokens",
    OutputLength = "output_length",
    OutputTokens = "output_tokens",
    HashIds = "hash_ids",
    Priority = "priority",
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                Ok(Key::named(name))
            }
        }
        json.deserialize_identifier(KeyVisitor)
    }
}

/// A non-negative whole number, or null.
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, at least 0")
            }
            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
                Ok(Count(Some(count)))
            }
            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
                Err(E::invalid_value(Unexpected::Signed(count), &self))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Count, E> {
                Ok(Count(None))
            }
        }
        json.deserialize_any(CountVisitor)
    }
}

/// Hash ids into a reused buffer; whether there are any (not null).
struct IdsSeed<'a>(&'a mut Vec<u64>);

impl<'de> DeserializeSeed<'de> for IdsSeed<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IdsSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of unsigned integers below 2^64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut ids: A) -> Result<bool, A::Error> {
        while let Some(id) = ids.next_element::<u64>()? {
            self.0.push(id);
        }
        Ok(true)
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }
}
