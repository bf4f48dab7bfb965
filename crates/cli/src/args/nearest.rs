//! The known name that is most like a mistyped one.

use strsim::levenshtein;

/// The nearest of `known`, if it is near at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = given.chars().count() / 3 + 1;
    known
        .map(|name| (levenshtein(given, name), name))
        .filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let known = ["num-workers", "router-mode", "seed"];
        assert_eq!(
            nearest("num_worker", known.into_iter()),
            Some("num-workers")
        );
        assert_eq!(nearest("sed", known.into_iter()), Some("seed"));
        assert_eq!(nearest("quantum", known.into_iter()), None);
    }
}
