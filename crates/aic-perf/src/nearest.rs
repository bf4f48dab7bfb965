//! The nearest known name to one that is unknown, for error messages.

use strsim::levenshtein as edit_distance;

/// The known name that differs least from `given`, letter case aside, if any is near enough to be what was meant.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let given = given.to_lowercase();
    let limit = (given.chars().count() / 2).max(2);
    known
        .into_iter()
        .map(|name| (edit_distance(&given, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, name)| name)
}

/// `, did you mean "x"?` or nothing.
pub(crate) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_slip_and_ignores_case() {
        assert_eq!(nearest("H2O0", ["h100", "h200", "b200"]), Some("h200"));
        assert_eq!(nearest("zzzzzzzz", ["h100"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
