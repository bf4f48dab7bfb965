//! What a sweep is: shared arguments, axes, and how they combine.

use std::fmt::Formatter;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::case::{Case, OBJECTS, RunSpec, assign, text_of};
use super::values::from_file;
use crate::args::config::read_object;
use crate::args::nearest::nearest;
use crate::args::raw::ReplayArgs;

/// Most runs of a sweep.
const MOST_RUNS: usize = 1_000_000;

/// How axes become points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Combine {
    /// Every combination, the last axis fastest.
    #[default]
    Grid,
    /// The first values together, then the second ones, and so on.
    Zip,
    /// The points as listed.
    List,
}

/// A sweep, not yet expanded.
#[derive(Clone, Debug, Default)]
pub(crate) struct SweepSpec {
    /// Arguments that all points share.
    pub(crate) base: Map<String, Value>,
    /// What is varied, first axis first.
    pub(crate) axes: Vec<(String, Vec<Value>)>,
    /// Points as listed.
    pub(crate) points: Vec<Map<String, Value>>,
    pub(crate) combine: Combine,
    pub(crate) seeds: Option<u32>,
}

/// A specification file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    #[serde(default)]
    base: Map<String, Value>,
    #[serde(default)]
    set: Axes,
    combine: Option<Combine>,
    #[serde(default)]
    points: Vec<Map<String, Value>>,
    seeds: Option<u32>,
}

/// Axes in the order of the file, which decides what the charts run along.
#[derive(Debug, Default)]
struct Axes(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Axes;

            fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from arguments to their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Axes, A::Error> {
                let mut axes = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    axes.push(entry);
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Reads a specification file; its name says in which language it is.
pub(crate) fn read_spec(path: &Path) -> Result<SweepSpec> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let file: SpecFile = match extension {
        Some("toml") => toml::from_str(&text).map_err(anyhow::Error::from),
        Some("yaml" | "yml") => serde_saphyr::from_str(&text).map_err(anyhow::Error::from),
        _ => serde_json::from_str(&text).map_err(anyhow::Error::from),
    }
    .with_context(|| format!("{name}: not a sweep specification"))?;
    let axes = file
        .set
        .0
        .iter()
        .map(|(path, values)| Ok((path.clone(), from_file(path, values)?)))
        .collect::<Result<Vec<_>>>()
        .with_context(|| name.to_string())?;
    let listed = !file.points.is_empty();
    let combine = file
        .combine
        .unwrap_or(if listed { Combine::List } else { Combine::Grid });
    ensure!(
        listed == (combine == Combine::List) && (axes.is_empty() || !listed),
        "{name}: give either points (combine: list) or set (combine: grid or zip)"
    );
    Ok(SweepSpec {
        base: file.base,
        axes,
        points: file.points,
        combine,
        seeds: file.seeds,
    })
}

impl SweepSpec {
    /// Takes over the arguments of the command line: those that `is_typed` stand
    /// above the file's, the others are defaults below them.
    pub(crate) fn overlay(
        &mut self,
        args: &ReplayArgs,
        is_typed: impl Fn(&str) -> bool,
    ) -> Result<()> {
        for (name, value) in by_name(args)? {
            if is_typed(&name) || !self.base.contains_key(&name) {
                self.base.insert(name, value);
            }
        }
        self.base.retain(|_, value| !value.is_null());
        Ok(())
    }

    /// The cases, in order.
    pub(crate) fn cases(&self) -> Result<Vec<Case>> {
        let known: Vec<String> = by_name(&ReplayArgs::default())?
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let sets = self.sets()?;
        let named = self.base.keys().chain(sets.iter().flat_map(Map::keys));
        for path in named {
            let name = path.split('.').next().unwrap_or(path);
            if !known.iter().any(|known| known == name) {
                let hint = nearest(name, known.iter().map(String::as_str))
                    .map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
                bail!("{path}: replay has no argument --{name}{hint}");
            }
        }
        let mut base = self.base.clone();
        inline_objects(&mut base)?;
        sets.into_iter().map(|set| self.case(&base, set)).collect()
    }

    /// What each point sets.
    fn sets(&self) -> Result<Vec<Map<String, Value>>> {
        let lengths = || self.axes.iter().map(|(_, values)| values.len());
        let count = match self.combine {
            Combine::List => return Ok(self.points.clone()),
            Combine::Grid => lengths().try_fold(1, usize::checked_mul),
            Combine::Zip => {
                let all: Vec<usize> = lengths().collect();
                ensure!(
                    all.windows(2).all(|pair| pair[0] == pair[1]),
                    "values side by side must be equally many, got {all:?}"
                );
                Some(all.first().copied().unwrap_or(1))
            }
        };
        let seeds = self.seeds.unwrap_or(1) as usize;
        let count = count
            .filter(|count| {
                count
                    .checked_mul(seeds)
                    .is_some_and(|runs| runs <= MOST_RUNS)
            })
            .with_context(|| format!("more than {MOST_RUNS} runs"))?;
        Ok((0..count).map(|index| self.set_at(index)).collect())
    }

    fn set_at(&self, index: usize) -> Map<String, Value> {
        let mut rest = index;
        let mut chosen: Vec<(String, Value)> = self
            .axes
            .iter()
            .rev()
            .map(|(path, values)| {
                let at = if self.combine == Combine::Zip {
                    index
                } else {
                    let at = rest % values.len();
                    rest /= values.len();
                    at
                };
                (path.clone(), values[at].clone())
            })
            .collect();
        chosen.reverse();
        chosen.into_iter().collect()
    }

    fn case(&self, base: &Map<String, Value>, set: Map<String, Value>) -> Result<Case> {
        let mut arguments = base.clone();
        // A whole object first, so that a field of it can be set besides.
        let mut order: Vec<(&String, &Value)> = set.iter().collect();
        order.sort_by_key(|(path, _)| path.contains('.'));
        for (path, value) in order {
            assign(&mut arguments, path, value)?;
            inline_objects(&mut arguments)?;
        }
        let Some(seeds) = self.seeds else {
            let runs = vec![RunSpec::new(arguments)];
            return Ok(Case { set, runs });
        };
        ensure!(seeds >= 1, "--seeds must be at least 1, got 0");
        let runs = (0..u64::from(seeds)).map(|seed| {
            let mut arguments = arguments.clone();
            arguments.insert("seed".to_owned(), seed.into());
            if arguments.contains_key("request-rate") {
                let first = arguments.get("arrival-seed").and_then(Value::as_u64);
                let seed = first.unwrap_or(0).wrapping_add(seed);
                arguments.insert("arrival-seed".to_owned(), seed.into());
            }
            RunSpec::new(arguments)
        });
        let runs = runs.collect();
        Ok(Case { set, runs })
    }

    /// Names of the axes, in order.
    pub(crate) fn axis_names(&self) -> Vec<String> {
        if self.combine != Combine::List {
            return self.axes.iter().map(|(path, _)| path.clone()).collect();
        }
        let mut names: Vec<String> = Vec::new();
        for name in self.points.iter().flat_map(Map::keys) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// All arguments of `replay` by name, absent ones as null.
fn by_name(args: &ReplayArgs) -> Result<Map<String, Value>> {
    match serde_json::to_value(args)? {
        Value::Object(map) => Ok(map),
        other => bail!("arguments have names, got {other}"),
    }
}

/// Puts configurations given as text or files in place, so that a point needs
/// no other file than its trace.
fn inline_objects(arguments: &mut Map<String, Value>) -> Result<()> {
    for name in OBJECTS {
        let Some(value @ Value::String(_)) = arguments.get(name) else {
            continue;
        };
        let (_, object) = read_object(name, &text_of(value))?;
        arguments.insert(name.to_owned(), Value::Object(object));
    }
    Ok(())
}
