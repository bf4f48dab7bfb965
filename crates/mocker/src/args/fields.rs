//! Typed reading of the fields of a JSON object.

use serde_json::{Map, Value};

use super::error::ArgsError;

/// The fields of one object, and how strictly to read them.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    /// What leads to the object, a dot at the end; empty at the top.
    path: &'static str,
    /// Values of the wrong type count as absent.
    lax: bool,
    /// Fields passed over for that reason.
    passed_over: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(map: &'a Map<String, Value>, path: &'static str, lax: bool) -> Self {
        Self {
            map,
            path,
            lax,
            passed_over: Vec::new(),
        }
    }

    /// Names of the fields that were passed over, with their path.
    pub(crate) fn into_passed_over(self) -> Vec<String> {
        self.passed_over
    }

    /// A value that is there and not null.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(Value::is_null)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    fn wrong_type(&self, name: &str, expected: &'static str, value: &Value) -> ArgsError {
        ArgsError::WrongType {
            field: self.path(name),
            expected,
            found: describe(value),
        }
    }

    pub(crate) fn out_of_range(&self, name: &str, why: String) -> ArgsError {
        ArgsError::OutOfRange {
            field: self.path(name),
            why,
        }
    }

    /// A wrong type is an error, or (lax) as if the field were absent.
    fn refuse<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        value: &Value,
    ) -> Result<Option<T>, ArgsError> {
        if self.lax {
            self.passed_over.push(self.path(name));
            return Ok(None);
        }
        Err(self.wrong_type(name, expected, value))
    }

    /// A whole number of at least `min`.
    pub(crate) fn whole(&mut self, name: &str, min: u64) -> Result<Option<u64>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let Some(number) = value.as_u64() else {
            if value.is_i64() && !self.lax {
                let why = format!("must be at least {min}, got {value}");
                return Err(self.out_of_range(name, why));
            }
            return self.refuse(name, "a whole number", value);
        };
        if number < min {
            let why = format!("must be at least {min}, got {number}");
            return Err(self.out_of_range(name, why));
        }
        Ok(Some(number))
    }

    /// A whole number of at least `min` that fits 32 bits.
    pub(crate) fn count(&mut self, name: &str, min: u32) -> Result<Option<u32>, ArgsError> {
        let Some(number) = self.whole(name, u64::from(min))? else {
            return Ok(None);
        };
        u32::try_from(number).map(Some).map_err(|_| {
            let why = format!("must be at most {}, got {number}", u32::MAX);
            self.out_of_range(name, why)
        })
    }

    /// A limit: `default` where absent, none where null.
    pub(crate) fn limit(&mut self, name: &str, default: u32) -> Result<Option<u32>, ArgsError> {
        if self.is_null(name) {
            return Ok(None);
        }
        Ok(Some(self.count(name, 1)?.unwrap_or(default)))
    }

    /// A finite number in `0..=max`.
    pub(crate) fn number(&mut self, name: &str, max: f64) -> Result<Option<f64>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let Some(number) = value.as_f64() else {
            return self.refuse(name, "a number", value);
        };
        if !(0.0..=max).contains(&number) {
            let why = if max.is_finite() && max < f64::MAX {
                format!("must be between 0 and {max}, got {number}")
            } else {
                format!("must be at least 0, got {number}")
            };
            return Err(self.out_of_range(name, why));
        }
        Ok(Some(number))
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => self.refuse(name, "true or false", value),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<&'a str>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => self.refuse(name, "a string", value),
        }
    }

    /// One of the known words. A wrong type is an error even when lax.
    pub(crate) fn word<T: Copy>(
        &self,
        name: &str,
        words: &[(&str, T)],
        expected: &'static str,
    ) -> Result<Option<T>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let Some(given) = value.as_str() else {
            return Err(self.wrong_type(name, expected, value));
        };
        let known = words.iter().find(|(word, _)| *word == given);
        known
            .map(|&(_, meaning)| Some(meaning))
            .ok_or_else(|| ArgsError::UnknownWord {
                field: self.path(name),
                given: given.to_owned(),
                expected,
            })
    }

    /// An object. A wrong type is an error even when lax.
    pub(crate) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, ArgsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let found = value.as_object();
        found
            .map(Some)
            .ok_or_else(|| self.wrong_type(name, "an object", value))
    }
}

/// A value in an error message, cut where it is long.
fn describe(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The JSON type of a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
