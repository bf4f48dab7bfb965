//! Lax reading of JSON values as the types of the fields.

use serde_json::Value;

use super::error::ConfigError;

/// What a value is, for messages.
pub(super) fn describe(value: &Value) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(60).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "the boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "the array",
        Value::Object(_) => "the object",
    };
    format!("{kind} {short}{dots}")
}

fn wrong(field: &str, expected: &str, value: &Value) -> ConfigError {
    ConfigError::Type {
        field: field.to_owned(),
        expected: expected.to_owned(),
        found: describe(value),
    }
}

/// A whole number: an integer, a float without a fraction, a text of one, or a boolean.
pub(super) fn integer(field: &str, value: &Value) -> Result<i64, ConfigError> {
    let whole = match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().and_then(whole_float)),
        Value::String(text) => {
            let text = text.trim();
            text.parse()
                .ok()
                .or_else(|| text.parse().ok().and_then(whole_float))
        }
        _ => None,
    };
    whole.ok_or_else(|| wrong(field, "a whole number", value))
}

fn whole_float(number: f64) -> Option<i64> {
    // 2^63 as f64 is exact; below it every whole f64 is an i64.
    let fits = number.fract() == 0.0 && number.abs() < 9_223_372_036_854_775_808.0;
    fits.then_some(number as i64)
}

/// A number, a text of one, or a boolean. NaN and infinities come as texts.
pub(super) fn float(field: &str, value: &Value) -> Result<f64, ConfigError> {
    let number = match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| wrong(field, "a number", value))
}

/// A boolean, 0 or 1, or one of the usual words.
pub(super) fn boolean(field: &str, value: &Value) -> Result<bool, ConfigError> {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
            "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
            _ => None,
        },
        _ => None,
    };
    flag.ok_or_else(|| wrong(field, "true or false", value))
}

/// A text; nothing else is turned into one.
pub(super) fn text(field: &str, value: &Value) -> Result<String, ConfigError> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| wrong(field, "a string", value))
}

/// One of a list of exact words.
pub(super) fn choice<T: Copy>(
    field: &str,
    value: &Value,
    choices: &[(&str, T)],
) -> Result<T, ConfigError> {
    let chosen = value
        .as_str()
        .and_then(|word| choices.iter().find(|(name, _)| *name == word));
    chosen.map(|&(_, choice)| choice).ok_or_else(|| {
        let names: Vec<String> = choices
            .iter()
            .map(|(name, _)| format!("{name:?}"))
            .collect();
        wrong(field, &format!("one of {}", names.join(", ")), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_come_in_many_clothes() {
        for value in [json!(7), json!(7.0), json!("7"), json!(" 7.0 ")] {
            assert_eq!(integer("f", &value).unwrap(), 7, "{value}");
        }
        for value in [
            json!(2.5),
            json!("x"),
            json!(null),
            json!([7]),
            json!(1e300),
            json!("inf"),
        ] {
            let error = integer("f", &value).unwrap_err();
            assert_eq!(error.field(), Some("f"), "{value}");
        }
    }

    #[test]
    fn booleans_and_numbers() {
        assert!(boolean("f", &json!("Yes")).unwrap() && !boolean("f", &json!(0)).unwrap());
        assert!(boolean("f", &json!(2)).is_err() && boolean("f", &json!("maybe")).is_err());
        assert_eq!(float("f", &json!("1.5")).unwrap(), 1.5);
        assert!(float("f", &json!({})).is_err() && text("f", &json!(1)).is_err());
    }
}
