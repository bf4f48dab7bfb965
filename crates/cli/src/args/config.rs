//! Configuration given inline, as a path, or as `@path`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use aic_perf::AicError;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// Where a configuration came from, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The flag.
    pub(crate) flag: &'static str,
    /// The file, unless it was given inline.
    pub(crate) path: Option<PathBuf>,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} {}", self.flag, path.display()),
            None => f.write_str(self.flag),
        }
    }
}

/// The text of a configuration argument.
pub(crate) fn read_text(flag: &'static str, argument: &str) -> Result<(Source, String)> {
    let inline = Source { flag, path: None };
    if let Some(path) = argument.strip_prefix('@') {
        return read_file(flag, Path::new(path));
    }
    let trimmed = argument.trim_start();
    if trimmed.starts_with(['{', '[', '"']) {
        return Ok((inline, argument.to_owned()));
    }
    if Path::new(argument).exists() {
        return read_file(flag, Path::new(argument));
    }
    bail!("{flag}: {argument:?} is neither JSON nor a file that exists")
}

fn read_file(flag: &'static str, path: &Path) -> Result<(Source, String)> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{flag}: cannot read {}", path.display()))?;
    let source = Source {
        flag,
        path: Some(path.to_owned()),
    };
    Ok((source, text))
}

/// A configuration argument that must be a JSON object.
pub(crate) fn read_object(
    flag: &'static str,
    argument: &str,
) -> Result<(Source, Map<String, Value>)> {
    let (source, text) = read_text(flag, argument)?;
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("{source}: not valid JSON"))?;
    match value {
        Value::Object(object) => Ok((source, object)),
        other => bail!("{source}: expected a JSON object, got {}", kind(&other)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A number format by its name.
pub(crate) fn number_format<F: FromStr<Err = AicError>>(
    field: &str,
    name: Option<&str>,
) -> Result<Option<F>> {
    name.map(|name| name.parse().with_context(|| field.to_owned()))
        .transpose()
}
