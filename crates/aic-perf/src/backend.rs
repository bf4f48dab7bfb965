//! The serving frameworks, and the releases of theirs that were measured.

use std::fmt;
use std::str::FromStr;

use crate::error::AicError;
use crate::nearest::hint;

/// A serving framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// TensorRT-LLM.
    Trtllm,
}

impl Backend {
    const ALL: [Self; 3] = [Self::Vllm, Self::Sglang, Self::Trtllm];

    /// The framework's name in tables and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Trtllm => "trtllm",
        }
    }

    /// Releases that the reference's own releases ask for when none is given.
    const fn pins(self) -> &'static [&'static str] {
        match self {
            Self::Vllm => &["0.14.0", "0.19.0"],
            Self::Sglang => &["0.5.6.post2", "0.5.10"],
            Self::Trtllm => &["1.3.0rc10"],
        }
    }
}

impl FromStr for Backend {
    type Err = AicError;

    fn from_str(given: &str) -> Result<Self, AicError> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.name().eq_ignore_ascii_case(given.trim()))
            .ok_or_else(|| AicError::UnknownBackend {
                given: given.to_owned(),
                hint: hint(given, Self::ALL.map(Self::name)),
            })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to do with a release that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionRule {
    /// An error that lists what is accepted.
    #[default]
    Strict,
    /// Use the tables there are, with a warning.
    MapToCurrent,
}

/// The warning to give for using the tables of release `shipped` where `given` was asked for, if one is due.
///
/// Without a request, for `current` and for the shipped release itself there is none. `previous`, `next` and the
/// reference's old pins are accepted with one, since tables of one release a GPU and framework are shipped.
pub(crate) fn resolve_version(
    system: &str,
    backend: Backend,
    shipped: &str,
    given: Option<&str>,
    rule: VersionRule,
) -> Result<Option<String>, AicError> {
    let Some(given) = given.map(str::trim).filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    if given == shipped || given.eq_ignore_ascii_case("current") {
        return Ok(None);
    }
    let known = ["previous", "next"]
        .iter()
        .any(|alias| given.eq_ignore_ascii_case(alias))
        || backend.pins().contains(&given);
    if !known && rule == VersionRule::Strict {
        let aliases = ["current", "previous", "next", shipped];
        return Err(AicError::UnknownVersion {
            system: system.to_owned(),
            backend: backend.name().to_owned(),
            given: given.to_owned(),
            known: [&aliases, backend.pins()].concat().join(", "),
        });
    }
    Ok(Some(format!(
        "{backend} {given}: using the tables of {backend} {shipped} on {system}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(given: &str, rule: VersionRule) -> Result<Option<String>, AicError> {
        resolve_version("h200_sxm", Backend::Vllm, "0.24.0", Some(given), rule)
    }

    #[test]
    fn the_shipped_release_needs_no_warning() {
        for given in ["current", "0.24.0", ""] {
            assert_eq!(resolve(given, VersionRule::Strict), Ok(None));
        }
    }

    #[test]
    fn pins_and_neighbours_warn() {
        for given in ["0.14.0", "0.19.0", "next", "previous"] {
            let warning = resolve(given, VersionRule::Strict).unwrap().unwrap();
            assert!(warning.contains("0.24.0"), "{warning}");
        }
    }

    #[test]
    fn others_are_errors_unless_mapped() {
        let error = resolve("9.9", VersionRule::Strict).unwrap_err().to_string();
        assert!(
            error.contains("0.24.0") && error.contains("0.14.0"),
            "{error}"
        );
        assert!(resolve("9.9", VersionRule::MapToCurrent).unwrap().is_some());
    }

    #[test]
    fn unknown_backend_names_the_nearest() {
        let error = "vlm".parse::<Backend>().unwrap_err().to_string();
        assert!(error.contains("did you mean \"vllm\""), "{error}");
    }
}
