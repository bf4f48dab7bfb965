//! Licences of what we depend on.

use serde_json::Value;

use super::arrows::packages;

/// Licences that may be linked into a binary under Apache-2.0.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages under other licences.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    packages(metadata)
        .filter_map(|package| {
            let name = package["name"].as_str()?;
            let expression = package["license"].as_str().unwrap_or("no stated licence");
            (!is_accepted(expression)).then(|| format!("{name}: licence {expression}"))
        })
        .collect()
}

/// Whether an SPDX expression (or the old form with slashes) can be satisfied.
fn is_accepted(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    plain.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|licence| ACCEPTED.contains(&licence.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::is_accepted;

    #[test]
    fn one_acceptable_choice_is_enough_but_all_parts_count() {
        assert!(is_accepted("MIT OR GPL-3.0"));
        assert!(is_accepted("MIT/Apache-2.0"));
        assert!(is_accepted("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_accepted("MIT AND GPL-3.0"));
        assert!(!is_accepted("no stated licence"));
    }
}
