//! The committed counts, and what a change of them means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// By how many percent a run may grow.
const MOST_GROWTH_PERCENT: u128 = 5;

/// Instructions by run, and which compiler made them.
#[derive(Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) compiler: String,
    pub(super) instructions: BTreeMap<String, u64>,
}

/// How a run compares with its record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Within,
    /// So much less that the record guards nothing.
    Less,
    Grown,
    /// Never recorded.
    New,
}

impl Counts {
    fn path() -> PathBuf {
        crate::tidy::root().join("xtask/gate.json")
    }

    /// The committed counts.
    pub(super) fn read() -> Result<Self> {
        let path = Self::path();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let compiler = value["compiler"].as_str().context("no compiler")?;
        let recorded = value["instructions"]
            .as_object()
            .context("no instructions")?;
        let instructions = recorded.iter().map(|(name, count)| {
            let count = count.as_u64().with_context(|| name.clone())?;
            Ok((name.clone(), count))
        });
        Ok(Self {
            compiler: compiler.to_owned(),
            instructions: instructions.collect::<Result<_>>()?,
        })
    }

    /// Commits to these counts.
    pub(super) fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.to_value())?;
        Ok(std::fs::write(Self::path(), text + "\n")?)
    }

    fn to_value(&self) -> Value {
        json!({"compiler": self.compiler, "instructions": self.instructions})
    }

    /// What `counted` means for the run `name`, and by what share it grew.
    pub(super) fn judge(&self, name: &str, counted: u64) -> (Verdict, f64) {
        let Some(&recorded) = self.instructions.get(name) else {
            return (Verdict::New, 0.0);
        };
        // In integers, since a quotient of floats puts exactly 5 % on the wrong side.
        let hundredths = u128::from(counted) * 100;
        let recorded_at = |percent: u128| u128::from(recorded) * percent;
        let verdict = if hundredths > recorded_at(100 + MOST_GROWTH_PERCENT) {
            Verdict::Grown
        } else if hundredths < recorded_at(100 - MOST_GROWTH_PERCENT) {
            Verdict::Less
        } else {
            Verdict::Within
        };
        let growth = counted as f64 / recorded as f64 - 1.0;
        (verdict, growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_percent_more_is_too_much() {
        let counts = Counts {
            compiler: "c".to_owned(),
            instructions: [("run".to_owned(), 1000)].into(),
        };
        let verdict = |counted| counts.judge("run", counted).0;
        assert_eq!(verdict(1050), Verdict::Within);
        assert_eq!(verdict(1051), Verdict::Grown);
        assert_eq!(verdict(950), Verdict::Within);
        assert_eq!(verdict(949), Verdict::Less);
        assert_eq!(counts.judge("other", 1).0, Verdict::New);
        assert_eq!(
            Counts::parse(&counts.to_value().to_string()).unwrap(),
            counts
        );
    }

    #[test]
    fn every_run_has_a_committed_count() {
        let committed = Counts::read().unwrap();
        let names: Vec<&str> = committed.instructions.keys().map(String::as_str).collect();
        let runs = super::super::runs::all().unwrap();
        let mut wanted: Vec<&str> = runs.iter().map(|&(name, _)| name).collect();
        wanted.sort_unstable();
        assert_eq!(names, wanted);
    }
}
