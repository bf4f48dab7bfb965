//! One case of a sweep: replay arguments by name, with an id that they decide.

use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Arguments that are JSON objects, into which a dotted path may lead.
pub(crate) const OBJECTS: [&str; 5] = [
    "extra-engine-args",
    "prefill-engine-args",
    "decode-engine-args",
    "router-config",
    "planner-config",
];

/// A case, in the order of the sweep.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What distinguishes it from the other cases.
    pub(crate) set: Map<String, Value>,
    /// One run, or one a seed.
    pub(crate) runs: Vec<RunSpec>,
}

/// Everything about one run: `replay`'s arguments by name, without dashes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunSpec {
    /// Digest of the arguments.
    pub(crate) id: String,
    pub(crate) arguments: Map<String, Value>,
}

impl RunSpec {
    pub(crate) fn new(arguments: Map<String, Value>) -> Self {
        let mut sorted = Value::Object(arguments.clone());
        sorted.sort_all_objects();
        let digest = Sha256::digest(sorted.to_string());
        let id = digest[..8].iter().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        });
        Self { id, arguments }
    }

    /// Reads a line that [`RunSpec::line`] wrote, or one with `arguments` alone.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text).context("not valid JSON")?;
        let Some(Value::Object(arguments)) = value.get("arguments") else {
            bail!(
                "expected an object with the key \"arguments\": a line of `dynosim sweep --points`"
            );
        };
        let spec = Self::new(arguments.clone());
        if let Some(id) = value.get("id") {
            ensure!(
                id.as_str() == Some(&spec.id),
                "the id {id} is not that of these arguments, {:?}: leave it out after a change",
                spec.id
            );
        }
        Ok(spec)
    }

    /// The run as one line of JSON.
    pub(crate) fn line(&self, set: &Map<String, Value>) -> String {
        json!({"id": self.id, "set": set, "arguments": self.arguments}).to_string()
    }

    /// The flags of `replay`.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--no-wall-clock".to_owned()];
        let mut trace = None;
        for (name, value) in &self.arguments {
            match value {
                Value::Null | Value::Bool(false) => {}
                Value::Bool(true) => flags.push(format!("--{name}")),
                value if name == "trace" => trace = Some(text_of(value)),
                value => flags.push(format!("--{name}={}", text_of(value))),
            }
        }
        if let Some(trace) = trace {
            flags.push("--".to_owned());
            flags.push(trace);
        }
        flags
    }
}

/// A value as it is typed.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Sets what `path` names: an argument, or a field of one that is an object.
/// `null` takes it away.
pub(crate) fn assign(arguments: &mut Map<String, Value>, path: &str, value: &Value) -> Result<()> {
    let mut fields = path.split('.');
    let name = fields.next().unwrap_or(path);
    let fields: Vec<&str> = fields.collect();
    let Some((last, way)) = fields.split_last() else {
        put(arguments, name, value);
        return Ok(());
    };
    ensure!(
        OBJECTS.contains(&name),
        "{path}: {name} has no fields; fields are those of {}",
        OBJECTS.join(", ")
    );
    let mut object = object_under(arguments, name, path)?;
    for field in way {
        object = object_under(object, field, path)?;
    }
    put(object, last, value);
    Ok(())
}

fn object_under<'a>(
    map: &'a mut Map<String, Value>,
    field: &str,
    path: &str,
) -> Result<&'a mut Map<String, Value>> {
    let entry = map
        .entry(field)
        .or_insert_with(|| Value::Object(Map::new()));
    match entry {
        Value::Object(object) => Ok(object),
        other => bail!("{path}: {field} is {other}, not an object with fields"),
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn paths_lead_into_objects() {
        let mut arguments = map(json!({"extra-engine-args": {"block_size": 16}}));
        assign(&mut arguments, "extra-engine-args.startup_time", &json!(30)).unwrap();
        assign(&mut arguments, "router-config.a.b", &json!(1)).unwrap();
        assign(&mut arguments, "num-workers", &json!(4)).unwrap();
        assign(&mut arguments, "extra-engine-args.block_size", &Value::Null).unwrap();
        assert_eq!(
            Value::Object(arguments.clone()),
            json!({
                "extra-engine-args": {"startup_time": 30},
                "router-config": {"a": {"b": 1}},
                "num-workers": 4,
            })
        );
        assert!(assign(&mut arguments, "num-workers.x", &json!(1)).is_err());
        assert!(assign(&mut arguments, "router-config.a.b.c", &json!(1)).is_err());
    }

    #[test]
    fn the_id_depends_on_values_and_not_on_their_order() {
        let one = RunSpec::new(map(json!({"a": 1, "b": {"c": 2, "d": 3}})));
        let two = RunSpec::new(map(json!({"b": {"d": 3, "c": 2}, "a": 1})));
        let other = RunSpec::new(map(json!({"a": 1, "b": {"c": 2, "d": 4}})));
        assert_eq!(one.id, two.id);
        assert_ne!(one.id, other.id);
        assert_eq!(one.id.len(), 16);
    }

    #[test]
    fn a_line_reads_back_and_a_changed_one_is_refused() {
        let spec = RunSpec::new(map(json!({"num-workers": 2, "trace": "t.jsonl"})));
        let line = spec.line(&Map::new());
        assert_eq!(RunSpec::parse(&line).unwrap(), spec);
        assert!(RunSpec::parse(&line.replace('2', "3")).is_err());
        assert!(RunSpec::parse("{}").is_err());
        assert!(RunSpec::parse("nonsense").is_err());
    }

    #[test]
    fn flags_are_those_of_replay() {
        let spec = RunSpec::new(map(json!({
            "trace": "-odd name", "num-workers": 2, "extra-engine-args": {"block_size": 16},
            "replay-mode": "offline", "sla-ttft-ms": null,
        })));
        let mut flags = spec.flags();
        assert_eq!(flags.split_off(flags.len() - 2), ["--", "-odd name"]);
        flags.sort();
        assert_eq!(
            flags,
            [
                "--extra-engine-args={\"block_size\":16}",
                "--no-wall-clock",
                "--num-workers=2",
                "--replay-mode=offline",
            ]
        );
    }
}
