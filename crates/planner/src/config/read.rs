//! From text to a checked configuration.

use std::path::Path;

use serde_json::{Map, Value};
use sim_api::{Quirk, Quirks};

use super::coerce::describe;
use super::error::ConfigError;
use super::fields::{ALIASES, KNOWN, LATER_FIELDS, assign, nested_fields};
use super::schema::PlannerConfig;
use super::validate::validate;

/// A configuration, and what should be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedConfig {
    /// The configuration.
    pub config: PlannerConfig,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

/// Reads inline JSON, or the JSON or YAML file at a path (`path` or `@path`).
///
/// # Errors
/// See [`ConfigError`].
pub fn read_config(given: &str, quirks: Quirks) -> Result<LoadedConfig, ConfigError> {
    let name = given.strip_prefix('@').unwrap_or(given);
    let path = Path::new(name);
    // Probing fails on text that is no possible path, inline JSON for one; that is "no file".
    if path.is_file() {
        return parse_config(&parse_file(path)?, quirks);
    }
    let value = serde_json::from_str(given).map_err(|error| ConfigError::Unrecognised {
        given: given.chars().take(80).collect(),
        reason: error.to_string(),
    })?;
    parse_config(&value, quirks)
}

fn parse_file(path: &Path) -> Result<Value, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let syntax = |reason: String| ConfigError::Syntax {
        path: path.to_owned(),
        reason,
    };
    let json = || serde_json::from_str(&text).map_err(|error| error.to_string());
    let yaml = || serde_saphyr::from_str(&text).map_err(|error| error.to_string());
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or("");
    match extension {
        "yaml" | "yml" => yaml().map_err(syntax),
        "json" => json().map_err(syntax),
        _ => json().or_else(|_| yaml()).map_err(syntax),
    }
}

/// Checks a configuration that is already an object of fields.
///
/// ```
/// use planner::parse_config;
/// use sim_api::Quirks;
///
/// let fields = serde_json::json!({"mode": "agg", "optimization_target": "sla", "ttft": 700});
/// let loaded = parse_config(&fields, Quirks::NONE)?;
/// assert_eq!(loaded.config.ttft_ms, 700.0);
///
/// let slip = parse_config(&serde_json::json!({"ttft_m": 700}), Quirks::NONE).unwrap_err();
/// assert!(slip.to_string().contains("did you mean \"ttft_ms\"?"));
/// # Ok::<(), planner::ConfigError>(())
/// ```
///
/// # Errors
/// The first field that is unknown, of the wrong type or out of range.
pub fn parse_config(value: &Value, quirks: Quirks) -> Result<LoadedConfig, ConfigError> {
    let fields = value.as_object().ok_or_else(|| ConfigError::NotAnObject {
        found: describe(value),
    })?;
    let (early, lax) = (
        quirks.has(Quirk::RefuseLaterFeatures),
        quirks.has(Quirk::LaxConfig),
    );
    let mut config = PlannerConfig::default();
    let mut given = Vec::new();
    for (name, value) in fields {
        let canonical = ALIASES
            .iter()
            .find(|(alias, _)| alias == name)
            .map(|&(_, canonical)| canonical);
        if canonical.is_some_and(|canonical| fields.contains_key(canonical)) {
            continue;
        }
        let canonical = canonical.unwrap_or(name);
        let known = assign(&mut config, canonical, value, early)
            .map_err(|error| under_given_name(error, canonical, name))?;
        let later = early && LATER_FIELDS.contains(&canonical);
        if !(known || lax || later) {
            return Err(ConfigError::UnknownField {
                field: name.clone(),
                known: KNOWN,
            });
        }
        if !lax {
            refuse_unknown_nested(canonical, value)?;
        }
        if canonical != "scheduling" || !value["scale_interval_seconds"].is_null() {
            given.push(canonical);
        }
    }
    let mut warnings = Vec::new();
    validate(&mut config, &given, quirks, &mut warnings)?;
    Ok(LoadedConfig { config, warnings })
}

/// Errors speak of the field as the user wrote it.
fn under_given_name(error: ConfigError, canonical: &str, given: &str) -> ConfigError {
    match error {
        ConfigError::Type {
            field,
            expected,
            found,
        } if field == canonical => ConfigError::Type {
            field: given.to_owned(),
            expected,
            found,
        },
        other => other,
    }
}

fn refuse_unknown_nested(path: &str, value: &Value) -> Result<(), ConfigError> {
    let (Some(known), Some(fields)) = (nested_fields(path), value.as_object()) else {
        return Ok(());
    };
    let fields: &Map<String, Value> = fields;
    for (name, value) in fields {
        let inner = format!("{path}.{name}");
        if !known.contains(&name.as_str()) {
            return Err(ConfigError::UnknownField {
                field: inner,
                known,
            });
        }
        refuse_unknown_nested(&inner, value)?;
    }
    Ok(())
}
