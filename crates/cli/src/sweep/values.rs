//! The values of one axis: `0:300:10`, `a,b,c`, or a JSON array.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Number, Value};

/// Most values of one axis; more is a slip of the hand.
const MOST_VALUES: usize = 100_000;

/// `PATH=VALUES` as typed after `--set`.
pub(crate) fn parse_assignment(text: &str) -> Result<(String, Vec<Value>)> {
    let (path, values) = text.split_once('=').with_context(|| {
        format!("--set {text}: expected PATH=VALUES, such as num-workers=1,2,4")
    })?;
    let values = parse_values(values).with_context(|| format!("--set {path}"))?;
    Ok((path.trim().to_owned(), values))
}

/// A range (both ends included), a list, or a JSON array.
pub(crate) fn parse_values(text: &str) -> Result<Vec<Value>> {
    let text = text.trim();
    ensure!(!text.is_empty(), "no values: give a list or a range");
    if text.starts_with('[') {
        let values: Vec<Value> = serde_json::from_str(text)
            .with_context(|| format!("{text}: not a valid JSON array"))?;
        ensure!(!values.is_empty(), "no values: the array is empty");
        return Ok(values);
    }
    if let Some(range) = range(text)? {
        return Ok(range);
    }
    Ok(text.split(',').map(|item| scalar(item.trim())).collect())
}

/// A value of a specification file: an array, or what may be typed.
pub(crate) fn from_file(path: &str, value: &Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(values) => {
            ensure!(!values.is_empty(), "set.{path}: the list is empty");
            Ok(values.clone())
        }
        Value::String(text) => parse_values(text).with_context(|| format!("set.{path}")),
        other => Ok(vec![other.clone()]),
    }
}

/// JSON where it is JSON, else text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => value,
        _ => Value::String(text.to_owned()),
    }
}

/// `first:last:step` or `first:last`, or nothing if it is no range of numbers.
fn range(text: &str) -> Result<Option<Vec<Value>>> {
    let parts: Vec<&str> = text.split(':').map(str::trim).collect();
    if !(2..=3).contains(&parts.len()) {
        return Ok(None);
    }
    if let Some(whole) = all(&parts, |part| part.parse::<i64>().ok()) {
        return whole_range(text, &whole).map(Some);
    }
    match all(&parts, |part| part.parse::<f64>().ok()) {
        Some(real) => real_range(text, &real).map(Some),
        None => Ok(None),
    }
}

fn all<T>(parts: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    parts.iter().map(|part| parse(part)).collect()
}

fn whole_range(text: &str, parts: &[i64]) -> Result<Vec<Value>> {
    let (first, last) = (i128::from(parts[0]), i128::from(parts[1]));
    let step = parts.get(2).map_or(1, |&step| i128::from(step));
    check_step(text, step != 0 && (last - first) * step >= 0)?;
    let count = (last - first) / step + 1;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    check_count(text, count)?;
    // Between two i64, so it is one.
    Ok((0..count as i64)
        .map(|index| Value::from(parts[0] + index * step as i64))
        .collect())
}

fn real_range(text: &str, parts: &[f64]) -> Result<Vec<Value>> {
    let (first, last) = (parts[0], parts[1]);
    let step = parts.get(2).copied().unwrap_or(1.0);
    let finite = parts.iter().all(|part| part.is_finite());
    check_step(text, finite && step != 0.0 && (last - first) / step >= 0.0)?;
    // The last value counts as reached in spite of rounding: 0:0.3:0.1 has four.
    let count = ((last - first) / step + 1e-9).floor() + 1.0;
    check_count(text, count.min(1e18) as usize)?;
    (0..count as usize)
        .map(|index| {
            // Twelve digits: 0.1 * 3 shall read 0.3.
            let value: f64 = format!("{:.12e}", first + index as f64 * step).parse()?;
            let number = Number::from_f64(value).context("not a finite number")?;
            Ok(Value::Number(number))
        })
        .collect()
}

fn check_step(text: &str, leads_there: bool) -> Result<()> {
    ensure!(
        leads_there,
        "the range {text} does not lead from its first value to its last: expected FIRST:LAST:STEP"
    );
    Ok(())
}

fn check_count(text: &str, count: usize) -> Result<()> {
    if count > MOST_VALUES {
        bail!("the range {text} has {count} values, at most {MOST_VALUES} are allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values(text: &str) -> Value {
        Value::Array(parse_values(text).unwrap())
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(values("0:300:100"), json!([0, 100, 200, 300]));
        assert_eq!(values("0:250:100"), json!([0, 100, 200]));
        assert_eq!(values("3:1:-1"), json!([3, 2, 1]));
        assert_eq!(values("2:4"), json!([2, 3, 4]));
        assert_eq!(values("5:5:1"), json!([5]));
        assert_eq!(values("0:0.3:0.1"), json!([0.0, 0.1, 0.2, 0.3]));
    }

    #[test]
    fn lists_keep_their_types() {
        assert_eq!(
            values("1,2.5,kv_router,true,null"),
            json!([1, 2.5, "kv_router", true, null])
        );
        assert_eq!(values("1.2.1,default"), json!(["1.2.1", "default"]));
        assert_eq!(values(r#"[{"a": 1}, 2]"#), json!([{"a": 1}, 2]));
        // No range of numbers, so a name.
        assert_eq!(values("twin:toolagent"), json!(["twin:toolagent"]));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        for text in [
            "",
            "[]",
            "[1,",
            "0:10:0",
            "0:10:-1",
            "0:1e30:1",
            "nan:1:1",
            "0:inf:1",
            "-9223372036854775808:9223372036854775807:1",
        ] {
            assert!(parse_values(text).is_err(), "{text}");
        }
        assert!(parse_assignment("num-workers").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_values_or_an_error(text in "[-0-9:.,eE\\[\\] a]{0,24}") {
            if let Ok(values) = parse_values(&text) {
                prop_assert!(!values.is_empty() && values.len() <= MOST_VALUES);
            }
        }
    }
}
