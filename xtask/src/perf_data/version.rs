//! The order of release numbers, as far as the data needs it: `1.3.0rc20`, `0.5.6.post2`, `0.1.dev3`, `2.27.3`.

use std::cmp::Ordering;

use anyhow::{Context, Result};

/// A release number in the order of Python packages: development, release candidate, release, post-release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    text: String,
    release: Vec<u32>,
    stage: Stage,
    serial: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Development,
    Alpha,
    Beta,
    Candidate,
    Release,
    Post,
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let bad = || format!("{text:?} is not a release number such as 1.3.0rc20");
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let tail = text.find(|c| !digits(c)).unwrap_or(text.len());
        let (release, suffix) = text.split_at(tail);
        let release = release
            .trim_end_matches('.')
            .split('.')
            .map(str::parse)
            .collect::<Result<Vec<u32>, _>>()
            .with_context(bad)?;
        let stages = [
            ("dev", Stage::Development),
            ("post", Stage::Post),
            ("rc", Stage::Candidate),
            ("a", Stage::Alpha),
            ("b", Stage::Beta),
        ];
        let (stage, serial) = if suffix.is_empty() {
            (Stage::Release, 0)
        } else {
            let found = stages
                .iter()
                .find_map(|(word, stage)| suffix.strip_prefix(word).map(|serial| (*stage, serial)));
            let (stage, serial) = found.with_context(bad)?;
            (stage, serial.parse().with_context(bad)?)
        };
        Ok(Self {
            text: text.to_owned(),
            release,
            stage,
            serial,
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Release parts without trailing zeros: `1.0` and `1.0.0` are the same.
    fn significant(&self) -> &[u32] {
        let zeros = self
            .release
            .iter()
            .rev()
            .take_while(|part| **part == 0)
            .count();
        &self.release[..self.release.len() - zeros]
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = (self.significant(), self.stage, self.serial);
        own.cmp(&(other.significant(), other.stage, other.serial))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn releases_come_in_the_order_they_were_made() {
        let ascending = [
            "0.1.dev3",
            "0.5.6.post2",
            "0.5.9",
            "0.5.10",
            "0.24.0",
            "1.0.0",
            "1.2.0rc5",
            "1.3.0rc9",
            "1.3.0rc20",
            "1.3.0",
            "2.27",
            "2.27.3",
        ];
        let versions: Vec<Version> = ascending
            .iter()
            .map(|text| Version::parse(text).unwrap())
            .collect();
        assert!(versions.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_is_no_release_number_is_named() {
        let error = Version::parse("nightly").unwrap_err();
        assert!(error.to_string().contains("nightly"), "{error}");
    }
}
