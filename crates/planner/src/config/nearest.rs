//! The nearest known field to one that is unknown.

use strsim::levenshtein;

/// `; did you mean "x"?`, or nothing if no known name is near.
pub(super) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let given = given.rsplit('.').next().unwrap_or(given).to_lowercase();
    let limit = (given.chars().count() / 2).max(2);
    known
        .into_iter()
        .map(|name| (levenshtein(&given, name), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance <= limit)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(
            hint("ttft_m", ["itl_ms", "ttft_ms"]),
            "; did you mean \"ttft_ms\"?"
        );
        assert_eq!(hint("zzz", ["ttft_ms"]), "");
    }
}
